import TestSupport
import Testing

@testable import UserPages

/// A file that is larger than its cache.
@Suite struct PageCacheEvictionTests {
  /// Every page comes, goes and comes back, within the limit. What was stored is there.
  @Test(arguments: Engines.all, [1, 2, 7])
  func moreThanFits(engine: PinEngine, limit: Int) throws {
    try CacheStage.run(pages: 40, limit: limit, ram: 64, engine: engine) { stage in
      for round in 0..<3 {
        for page in 0..<40 {
          let expected = round == 0 ? originalWord(page) : UInt64(round * 100 + page)
          #expect(try stage.word(page) == expected)
          try stage.space.store(UInt64((round + 1) * 100 + page), at: stage.address(page))
          #expect(stage.cache.residentPages <= limit)
        }
      }
      #expect(stage.cache.refaults > 0)
      try stage.cache.sync()
      for page in 0..<40 { #expect(stage.written(page) == UInt64(300 + page)) }
    }
  }

  /// The limit is not reached, but memory is: pages go all the same.
  @Test func lessMemoryThanLimit() throws {
    try CacheStage.run(pages: 40, limit: 40, ram: 12) { stage throws in
      for page in 0..<40 { #expect(try stage.word(page) == originalWord(page)) }
    }
  }

  /// What is pinned stays. Only when all is pinned is there no memory.
  @Test(arguments: Engines.all)
  func thePinnedStay(engine: PinEngine) throws {
    try CacheStage.run(limit: 4, engine: engine) { stage in
      let first = try stage.space.pin(at: stage.address(0), pages: 3)
      for page in 4..<16 { #expect(try stage.word(page) == originalWord(page)) }
      for page in 0..<3 { #expect(stage.cache.isResident(page: page)) }
      let last = try stage.space.pin(at: stage.address(3))
      #expect(throws: PageError.outOfMemory) { try stage.space.load(at: stage.address(9), count: 1) }
      #expect(throws: PageError.outOfMemory) { _ = try stage.cache.read(at: 9 * Page.size, count: 1) }
      #expect(stage.cache.evict(4) == 0)
      last.release()
      #expect(try stage.word(9) == originalWord(9))
      for page in 0..<3 { #expect(first.deviceBytes(at: page).load(as: UInt64.self) == originalWord(page)) }
      first.release()
    }
  }

  /// Dirty pages of a mapping that has gone may go, although the references of its entries wait to be put.
  @Test(arguments: Engines.all)
  func theUnmappedGo(engine: PinEngine) throws {
    try CacheStage.run(limit: 2, engine: engine) { stage in
      for page in 0..<2 { try stage.space.store(UInt64(70 + page), at: stage.address(page)) }
      try stage.space.unmap(at: stage.address(0), pages: 2)
      #expect(stage.memory.deferred.isAnythingPending)
      #expect(try MemoryStore.word(stage.cache.read(at: 9 * Page.size, count: 8), at: 0) == originalWord(9))
      try stage.cache.sync()
      for page in 0..<2 { #expect(stage.written(page) == UInt64(70 + page)) }
    }
  }

  /// A page that is used has its second chance: the others go first.
  @Test func secondChance() throws {
    try CacheStage.run(limit: 8) { stage in
      let odd = [1, 3, 5, 7, 9, 11, 13, 15]
      for page in odd { _ = try stage.word(page) }
      // Takes the accessed bits of all: nothing was idle.
      #expect(stage.space.takeAccessed(among: Array(0..<16), of: stage.cache) == odd)
      for page in [3, 7, 11] { _ = try stage.word(page) }
      _ = try stage.cache.read(at: 15 * Page.size, count: 1)
      #expect(stage.cache.evict(4) == 4)
      #expect((0..<16).filter { stage.cache.isResident(page: $0) } == [3, 7, 11, 15])
      #expect(stage.cache.refaults == 0)
      _ = try stage.word(1)
      #expect(stage.cache.refaults == 1)
    }
  }

  /// A batch goes together, and neighbours are written with one call.
  @Test func aBatch() throws {
    try CacheStage.run(pages: 64, limit: 64) { stage in
      for page in 0..<64 { _ = try stage.word(page) }
      _ = stage.space.takeAccessed(among: Array(0..<64), of: stage.cache)
      #expect(stage.cache.evict(60) == 60)
      for page in 0..<64 { try stage.space.store(UInt64(page), at: stage.address(page)) }
      stage.store.fail(nil)
      try stage.cache.flush(0..<64)
      #expect(stage.store.writes == [.write(page: 0, count: 64)])
    }
  }

  /// An error in pages that were read ahead is no error of the page that was asked for.
  @Test func anErrorAhead() throws {
    try CacheStage.run { stage throws in
      stage.store.fail { call, _ in
        guard case .read(let page, let count) = call, page + count > 1 else { return nil }
        return .file(.read, errno: 5)
      }
      #expect(try stage.word(0) == originalWord(0))
      #expect(throws: PageError.busErrorOfFile(.read, errno: 5)) { _ = try stage.word(1) }
      #expect(stage.cache.residentPages == 1)
      stage.store.fail(nil)
      for page in 0..<16 { #expect(try stage.word(page) == originalWord(page)) }
    }
  }

  /// Many threads fault one page: it is read once.
  @Test func oneRead() throws {
    try CacheStage.run { stage in
      let done = Rounds(3)
      let (space, address) = (stage.space, stage.address(9))
      stage.store.onCall { _ in pauseBriefly() }
      for _ in 0..<3 {
        runThread { [unowned space] in
          _ = try? space.load(at: address, count: 1)
          done.arrive()
        }
      }
      done.wait()
      #expect(stage.store.calls == [.read(page: 9, count: 1)])
      stage.store.onCall(nil)
    }
  }
}
