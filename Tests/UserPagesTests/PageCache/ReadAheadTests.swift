import Testing

@testable import UserPages

/// Which pages a stream has read ahead of it, without a cache.
@Suite struct ReadAheadTests {
  private typealias Window = ReadAhead.Window

  private func lone(_ page: Int) -> Window { Window(pages: page..<page + 1, trigger: nil) }

  /// The next window comes with the trigger, twice as large up to the limit, and its own trigger is its first page.
  @Test func aStreamThatKeepsItsPace() {
    var streams = ReadAhead(limit: 32)
    #expect(streams.miss(at: 0, wasEvicted: false) == Window(pages: 0..<4, trigger: 2))
    #expect(streams.reached(2, isInOrder: true) { 4 } == Window(pages: 4..<12, trigger: 4))
    #expect(streams.reached(4, isInOrder: true) { 12 } == Window(pages: 12..<28, trigger: 12))
    #expect(streams.reached(12, isInOrder: true) { 28 } == Window(pages: 28..<60, trigger: 28))
    #expect(streams.reached(28, isInOrder: true) { 60 } == Window(pages: 60..<92, trigger: 60))
  }

  /// A reader that is faster than its windows misses at their end.
  @Test func aStreamThatIsLate() {
    var streams = ReadAhead(limit: 16)
    #expect(streams.miss(at: 70, wasEvicted: false) == lone(70))
    #expect(streams.size(at: 71) == 4)
    #expect(streams.miss(at: 71, wasEvicted: false) == Window(pages: 71..<75, trigger: 73))
    #expect(streams.size(at: 75) == 8)
    #expect(streams.miss(at: 75, wasEvicted: true) == Window(pages: 75..<83, trigger: 79))
    #expect(streams.miss(at: 83, wasEvicted: false) == Window(pages: 83..<99, trigger: 91))
    #expect(streams.miss(at: 99, wasEvicted: false).pages.count == 16)
  }

  /// Many streams in turns: each has the windows that it would have alone.
  @Test func streamsThatTakeTurns() {
    var streams = ReadAhead(limit: 32)
    let starts = (1...ReadAhead.streamLimit).map { 1000 * $0 }
    for start in starts { #expect(streams.miss(at: start, wasEvicted: false) == lone(start)) }
    for start in starts { #expect(streams.miss(at: start + 1, wasEvicted: false).pages == start + 1..<start + 5) }
    for start in starts { #expect(streams.reached(start + 3, isInOrder: true) { 0 }?.pages == start + 5..<start + 13) }
    for start in starts { #expect(streams.reached(start + 5, isInOrder: true) { 0 }?.pages == start + 13..<start + 29) }
  }

  /// More streams than are known at a time: what is left of one is the trigger that it comes to.
  @Test func aStreamThatWasForgotten() {
    var streams = ReadAhead(limit: 32)
    for start in stride(from: 0, to: 1000 * (ReadAhead.streamLimit + 1), by: 1000) {
      _ = streams.miss(at: start, wasEvicted: false)
      _ = streams.miss(at: start + 1, wasEvicted: false)
    }
    #expect(streams.size(at: 4) == 1)
    #expect(streams.reached(2, isInOrder: true) { 6 } == Window(pages: 6..<14, trigger: 6))
    #expect(streams.reached(6, isInOrder: true) { 0 }?.pages == 14..<30)
  }

  /// Random misses read a page each, however many there are, and take no stream's place.
  @Test func randomMisses() {
    var streams = ReadAhead(limit: 32)
    _ = streams.miss(at: 0, wasEvicted: false)
    for page in stride(from: 1000, to: 9000, by: 2) {
      #expect(streams.miss(at: page, wasEvicted: true) == lone(page))
    }
    #expect(streams.miss(at: 4, wasEvicted: false).pages == 4..<12)
  }

  /// A page that was read ahead and is evicted before it is used: the window halves until it closes.
  @Test func thrashing() {
    var streams = ReadAhead(limit: 32)
    _ = streams.miss(at: 0, wasEvicted: false)
    _ = streams.reached(2, isInOrder: true) { 0 }
    #expect(streams.miss(at: 3, wasEvicted: true) == Window(pages: 3..<7, trigger: 5))
    #expect(streams.miss(at: 4, wasEvicted: true) == Window(pages: 4..<6, trigger: 5))
    #expect(streams.miss(at: 5, wasEvicted: true) == lone(5))
    #expect(streams.miss(at: 50, wasEvicted: true) == lone(50))
    // A page that another thread is about to read, or that could not be read, is no sign of it.
    _ = streams.miss(at: 51, wasEvicted: false)
    #expect(streams.miss(at: 53, wasEvicted: false) == lone(53))
    #expect(streams.miss(at: 55, wasEvicted: false).pages.count == 8)
  }

  /// A trigger that is used out of order has nothing read, and its stream is closed.
  @Test func aTriggerOutOfOrder() {
    var streams = ReadAhead(limit: 32)
    _ = streams.miss(at: 0, wasEvicted: false)
    #expect(streams.reached(2, isInOrder: false) { 4 } == nil)
    #expect(streams.miss(at: 4, wasEvicted: false) == lone(4))
  }

  /// A window that found no room for all of its pages goes on where it ended.
  @Test func aWindowThatIsCut() {
    var streams = ReadAhead(limit: 32)
    let window = streams.miss(at: 0, wasEvicted: false)
    streams.cut(window, at: 3)
    #expect(streams.miss(at: 3, wasEvicted: false).pages == 3..<9)
    let next = streams.miss(at: 9, wasEvicted: false)
    streams.cut(next, at: 9)
    #expect(streams.miss(at: 9, wasEvicted: false) == lone(9))
  }

  @Test func aCacheWithoutRoom() {
    var streams = ReadAhead(limit: 0)
    for page in 0..<10 { #expect(streams.miss(at: page, wasEvicted: false) == lone(page)) }
    #expect(streams.size(at: 10) == 1)
  }
}
