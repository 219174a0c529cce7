import TestSupport
import Testing

@testable import UserPages

/// A store that fails: nothing that `sync` called safe is lost, and every error is seen once.
@Suite struct PageCacheErrorTests {
  /// A failed write leaves the page dirty. Each handle gets the error once, one that is opened later if none has got it
  /// yet.
  @Test func onceForEachHandle() throws {
    try CacheStage.run { stage in
      let (first, second) = (stage.cache.open(), stage.cache.open())
      stage.store.fail { call, _ in if case .write = call { .file(.write, errno: 5) } else { nil } }
      try stage.space.store(UInt64(5), at: stage.address(1))
      try stage.cache.flush(0..<16)
      #expect(stage.cache.dirtyPages == 1)
      stage.store.fail(nil)
      let later = stage.cache.open()
      for handle in [first, second, later] {
        #expect(throws: PageError.file(.write, errno: 5)) { try handle.sync() }
        try handle.sync()
      }
      #expect(throws: PageError.file(.write, errno: 5)) { try stage.cache.sync() }
      try stage.cache.sync()
      try stage.cache.open().sync()
      #expect(stage.written(1) == 5)
    }
  }

  /// A handle may leave out the errors of writes before it begins. The next error it gets, as all others get both.
  @Test func errorsThatAreSkipped() {
    let (first, second) = (PageError.file(.write, errno: 5), PageError.file(.write, errno: 28))
    var errors = ErrorSequence()
    var (early, late) = (errors.start, errors.start)
    errors.note(first)
    errors.skipWrites(since: &late)
    #expect(errors.report(since: &late) == nil)
    // No handle was told of it yet.
    var opened = errors.start
    #expect(errors.report(since: &opened) == first)
    errors.skipWrites(since: &late)
    errors.note(second)
    for var position in [early, late, opened] { #expect(errors.report(since: &position) == second) }
    errors.note(first, isSync: true)
    errors.note(second)
    errors.skipWrites(since: &early)
    #expect(errors.report(since: &early) == second)
    errors.skipWrites(since: &early)
    #expect(errors.report(since: &early) == nil)
  }

  /// An error that is skipped unseen, and one behind it, are two.
  @Test func anErrorBehindASkippedOne() {
    var errors = ErrorSequence()
    var position = errors.start
    errors.note(.file(.write, errno: 5))
    errors.skipWrites(since: &position)
    errors.note(.file(.write, errno: 28))
    #expect(errors.report(since: &position) == .file(.write, errno: 28))
  }

  /// An eviction that cannot write keeps the page.
  @Test func anEvictionThatCannotWrite() throws {
    try CacheStage.run(limit: 2) { stage in
      stage.store.fail { call, _ in if case .write = call { .file(.write, errno: 28) } else { nil } }
      try stage.space.store(UInt64(5), at: stage.address(1))
      try stage.space.store(UInt64(6), at: stage.address(2))
      #expect(stage.cache.evict(2) == 0)
      #expect(throws: PageError.outOfMemory) { _ = try stage.word(3) }
      #expect(throws: PageError.file(.write, errno: 28)) { try stage.cache.sync() }
      stage.store.fail(nil)
      #expect(try stage.word(3) == originalWord(3))
      #expect(try stage.word(1) == 5 && stage.word(2) == 6)
    }
  }

  /// A sync that fails may have lost what was written: it is written again.
  @Test func aSyncThatFails() throws {
    try CacheStage.run { stage in
      try stage.space.store(UInt64(5), at: stage.address(1))
      try stage.cache.flush(0..<16)
      try stage.space.store(UInt64(6), at: stage.address(2))
      stage.store.fail { call, _ in call == .sync ? .file(.write, errno: 5) : nil }
      #expect(throws: PageError.file(.write, errno: 5)) { try stage.cache.sync() }
      #expect(stage.cache.dirtyPages == 2)
      stage.store.fail(nil)
      try stage.cache.sync()
      stage.store.losePower()
      #expect(stage.written(1) == 5 && stage.written(2) == 6)
    }
  }

  /// What was cut off or punched since it was written is not written again: what is there now is no store's.
  @Test(arguments: [false, true])
  func aSyncThatFailsAfterAHole(isCut: Bool) throws {
    try CacheStage.run { stage in
      for page in 1..<3 { try stage.space.store(UInt64(5), at: stage.address(page)) }
      try stage.cache.flush(0..<16)
      if isCut {
        try stage.cache.setByteCount(2 * Page.size)
        try stage.cache.setByteCount(16 * Page.size)
      } else {
        try stage.cache.punchHole(2..<3)
      }
      #expect(try stage.word(2) == 0)
      stage.store.fail { call, _ in call == .sync ? .file(.sync, errno: 5) : nil }
      #expect(throws: PageError.file(.sync, errno: 5)) { try stage.cache.sync() }
      #expect(stage.cache.dirtyPages == 1, "a hole is to be written that no store is in")
      stage.store.fail(nil)
      try stage.cache.sync()
      #expect(stage.store.writes == [.write(page: 1, count: 1)])
    }
  }

  /// EIO, a full disk or a short read, at every call that a program of loads, stores, syncs, cuts and evictions makes.
  @Test(arguments: [PageError.file(.write, errno: 5), .file(.write, errno: 28), .file(.read, errno: 5)])
  func everyCall(error: PageError) throws {
    var number = 0
    let failed = Locked<MemoryStore.Call?>(nil)
    repeat {
      let target = number
      failed.withLock { $0 = nil }
      try CacheStage.run(pages: 6, limit: 6) { stage in
        stage.store.fail { call, index in
          guard index == target else { return nil }
          failed.withLock { $0 = call }
          return error
        }
        let seen = try run(stage, error)
        // A sync reports what a write or a sync of the disk met. Every other error is its caller's.
        let isReported =
          switch failed.withLock({ $0 }) {
          case .write, .sync: true
          default: false
          }
        #expect(seen == (isReported ? 1 : 0), "an error of call \(number) was seen \(seen) times")
      }
      number += 1
    } while failed.withLock({ $0 != nil })
    #expect(number > 20)
  }

  /// Returns how many syncs reported an error.
  private func run(_ stage: CacheStage, _ error: PageError) throws -> Int {
    let (cache, space) = (stage.cache, stage.space)
    let handle = cache.open()
    var expected = (0..<6).map { originalWord($0) }
    var count = 6
    var seen = 0
    func attempt(_ body: () throws(PageError) -> Void) -> Bool {
      do throws(PageError) { try body() } catch let thrown {
        #expect(thrown == error.ofFault || thrown == error)
        return false
      }
      return true
    }
    func sync() {
      do throws(PageError) { try handle.sync() } catch let thrown {
        #expect(thrown == error)
        seen += 1
        return
      }
      for page in 0..<count {
        #expect(
          MemoryStore.word(stage.store.durable, at: page * Page.size) == expected[page], "page \(page) is not safe")
      }
    }
    for round in 1...3 {
      for page in 0..<count where (page + round) % 2 == 0 {
        let value = UInt64(round * 10 + page)
        if attempt({ () throws(PageError) in try space.store(value, at: stage.address(page)) }) {
          expected[page] = value
        }
      }
      sync()
      cache.evict(round)
      for page in 0..<count {
        _ = attempt { () throws(PageError) in
          let word = try stage.word(page)
          #expect(word == expected[page], "page \(page) in round \(round)")
        }
      }
      let shorter = 6 - round
      if attempt({ () throws(PageError) in try cache.setByteCount(shorter * Page.size) }) {
        count = shorter
        if attempt({ () throws(PageError) in try cache.setByteCount(6 * Page.size) }) {
          for page in count..<6 { expected[page] = 0 }
          count = 6
        }
      }
      if attempt({ () throws(PageError) in try cache.punchHole(0..<1) }) { expected[0] = 0 }
      sync()
    }
    stage.store.fail(nil)
    sync()
    sync()
    for page in 0..<count { #expect(try stage.word(page) == expected[page]) }
    return seen
  }
}
