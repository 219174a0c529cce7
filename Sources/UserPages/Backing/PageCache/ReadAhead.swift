/// Which pages of a file are read before a thread asks for them (`struct file_ra_state`, `mm/readahead.c`).
///
/// **Streams.** A stream is a reader that goes through the file in order. It has a window: the pages that were last
/// read for it. A stream is known by where its window ends, not by a mapping or a thread. So readers that take turns in
/// one mapping, or share one, each have a window of their own. A stream goes on if its thread changes.
///
///     a miss behind a page that missed alone   begins a stream, with a window of `initialSize`
///     the first use of a window's trigger      has the next window read, twice as large, while the reader uses this one
///     a miss at the end of a window            the reader was faster: the next window, and a trigger in the middle of it
///     a miss inside a window, or the last one  the cache could not keep what was read: the window halves, below 2 pages it closes
///     a trigger behind pages that are unused   the reader does not go through the file in order: the stream is forgotten
///     any other miss                           reads its page alone, and is remembered
///
/// A window that was read on a trigger has its trigger on its first page. So a reader that keeps its pace never waits:
/// it uses one window while the next one is read.
///
/// **Shared** by all threads that read a file, under a lock of its own. The lock is taken at a miss and at a trigger,
/// and never at another hit. What orders a trigger is the page's state: one look-up exchanges the mark, and has the
/// next window read.
struct ReadAhead: Sendable {
  /// Pages to read: the first one is a page that missed or the first one behind a window.
  struct Window: Equatable, Sendable {
    var pages: Range<Int>
    /// The page that has the next window read. Nil for a page that is read alone.
    var trigger: Int?
  }

  /// Streams that are known at a time. The one that was used least recently gives way.
  static let streamLimit = 32
  /// Misses that are remembered while no stream is known there.
  static let loneLimit = 32
  static let initialSize = 4

  /// The most pages of a window.
  let limit: Int

  private struct Stream {
    var window: Range<Int>
    /// Where the window before it began, which the reader may still be in.
    var start: Int
    var lastUse: UInt64

    func contains(_ page: Int) -> Bool { start <= page && page < window.upperBound }
  }

  private var streams: [Stream] = []
  private var lone: [Int] = []
  private var nextLone = 0
  private var uses: UInt64 = 0

  init(limit: Int) {
    self.limit = max(limit, 1)
  }

  private enum Miss {
    case endOfWindow(stream: Int)
    case insideWindow(stream: Int)
    /// Behind a page that missed alone, or at the file's start.
    case beginning(lone: Int?)
    case alone
  }

  private func kind(of page: Int) -> Miss {
    if limit == 1 { return .alone }
    if let stream = streams.firstIndex(where: { $0.window.upperBound == page }) { return .endOfWindow(stream: stream) }
    if let stream = streams.firstIndex(where: { $0.contains(page) }) { return .insideWindow(stream: stream) }
    let lone = lone.firstIndex(of: page - 1)
    return page == 0 || lone != nil ? .beginning(lone: lone) : .alone
  }

  /// How many pages a miss at `page` would read: as many places are made free beforehand.
  func size(at page: Int) -> Int {
    switch kind(of: page) {
    case .endOfWindow(let stream): grown(streams[stream].window.count)
    case .beginning: min(Self.initialSize, limit)
    case .insideWindow, .alone: 1
    }
  }

  /// What to read for a miss at `page`, that page first. The page is the caller's to read, so each miss is counted
  /// once.
  ///
  /// - Parameter wasEvicted: whether the page was in memory before. A page of a window that was not is still to be read
  ///   by another thread, or could not be.
  mutating func miss(at page: Int, wasEvicted: Bool) -> Window {
    switch kind(of: page) {
    case .endOfWindow(let stream): return asked(stream, page, grown(streams[stream].window.count))
    case .insideWindow(let stream):
      guard wasEvicted else { return Window(pages: page..<page + 1, trigger: nil) }
      let half = streams[stream].window.count / 2
      if half >= 2 { return asked(stream, page, half) }
      streams.remove(at: stream)
      return alone(page)
    case .beginning(let lone):
      if let lone { self.lone[lone] = -2 }
      return asked(begin(), page, min(Self.initialSize, limit))
    case .alone: return alone(page)
    }
  }

  /// The window to read now that the trigger `page` is used. Nil if there is none.
  ///
  /// - Parameters:
  ///   - page: the trigger.
  ///   - isInOrder: whether a page before it was used.
  ///   - absent: the first page behind it that is not in memory. Asked if the stream has given way to others: the
  ///     page's trigger is what is left of it.
  mutating func reached(_ page: Int, isInOrder: Bool, firstAbsent absent: () -> Int) -> Window? {
    let known = streams.firstIndex { $0.contains(page) }
    guard isInOrder else {
      if let known { streams.remove(at: known) }
      return nil
    }
    let index = known ?? begin()
    let old = known == nil ? page..<max(absent(), page + 1) : streams[index].window
    let next = old.upperBound..<old.upperBound + grown(old.count)
    use(index, next, after: old.lowerBound)
    return Window(pages: next, trigger: next.lowerBound)
  }

  /// Says that only the pages before `end` could be read of a window, for lack of room.
  mutating func cut(_ window: Window, at end: Int) {
    guard let index = streams.firstIndex(where: { $0.window == window.pages }) else { return }
    if end > window.pages.lowerBound {
      streams[index].window = window.pages.lowerBound..<end
    } else {
      streams.remove(at: index)
    }
  }

  private func grown(_ size: Int) -> Int { min(max(2 * size, Self.initialSize), limit) }

  /// The reader waits for the window's first page. The trigger is in the middle.
  private mutating func asked(_ index: Int, _ page: Int, _ size: Int) -> Window {
    let window = page..<page + size
    use(index, window, after: page)
    return Window(pages: window, trigger: size > 1 ? page + size / 2 : nil)
  }

  private mutating func alone(_ page: Int) -> Window {
    if lone.count < Self.loneLimit { lone.append(page) } else { lone[nextLone] = page }
    nextLone = (nextLone + 1) % Self.loneLimit
    return Window(pages: page..<page + 1, trigger: nil)
  }

  private mutating func use(_ index: Int, _ window: Range<Int>, after start: Int) {
    uses += 1
    streams[index] = Stream(window: window, start: start, lastUse: uses)
  }

  /// The index of a stream to be filled in.
  private mutating func begin() -> Int {
    if streams.count < Self.streamLimit {
      streams.append(Stream(window: 0..<0, start: 0, lastUse: 0))
      return streams.count - 1
    }
    return streams.indices.min { streams[$0].lastUse < streams[$1].lastUse } ?? 0
  }
}

/// What became of pages that a cache read before a thread asked for them.
public struct ReadAheadCounts: Equatable, Sendable {
  /// Pages read ahead.
  public var pages: Int
  /// Those that a thread then asked for.
  public var hits: Int
  /// Those that left the cache unused. The rest is still there.
  public var wasted: Int

  /// The given numbers.
  public init(pages: Int, hits: Int, wasted: Int) {
    self.pages = pages
    self.hits = hits
    self.wasted = wasted
  }
}
