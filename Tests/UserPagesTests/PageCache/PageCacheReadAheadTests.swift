import TestSupport
import Testing

@testable import UserPages

/// Pages that a cache reads before they are asked for.
@Suite struct PageCacheReadAheadTests {
  private func reads(_ stage: CacheStage) -> [Range<Int>] {
    stage.store.calls.compactMap { if case .read(let page, let count) = $0 { page..<page + count } else { nil } }
  }

  private func counts(_ stage: CacheStage) -> ReadAheadCounts {
    stage.cache.waitForReads()
    return stage.cache.readAheadCounts
  }

  /// Sequential misses read more and more with one call, random ones a page each.
  @Test func windowsGrow() throws {
    try CacheStage.run(pages: 100, limit: 64) { stage throws in
      for page in 0..<60 {
        #expect(try stage.word(page) == originalWord(page))
        stage.cache.waitForReads()
      }
      #expect(reads(stage) == [0..<4, 4..<12, 12..<28, 28..<44, 44..<60, 60..<76])
      #expect(counts(stage) == ReadAheadCounts(pages: 75, hits: 59, wasted: 0))
      stage.store.fail(nil)
      for page in [99, 80, 90, 85] { _ = try stage.space.load(at: stage.address(page), count: 1) }
      #expect(reads(stage) == [99..<100, 80..<81, 90..<91, 85..<86])
    }
  }

  /// Readers that take turns, page by page, in one mapping: a miss reads a page alone at each one's start and no more.
  @Test(arguments: [2, 8])
  func streamsThatTakeTurns(readers: Int) throws {
    let length = 60
    // So far apart that no window of one reaches another.
    let distance = 200
    try CacheStage.run(pages: readers * distance, limit: 1024, ram: 2048) { stage throws in
      for step in 0..<length {
        for reader in 0..<readers {
          let page = reader * distance + step
          #expect(try stage.word(page) == originalWord(page))
        }
        stage.cache.waitForReads()
      }
      let alone = reads(stage).filter { $0.count == 1 }
      #expect(alone.count <= readers, "\(alone)")
      #expect(counts(stage).hits >= readers * (length - 2))
    }
  }

  /// A reader that goes through a file larger than its cache: room is made for whole windows, and few pages are wasted.
  @Test func aFileThatDoesNotFit() throws {
    try CacheStage.run(pages: 200, limit: 64) { stage throws in
      for page in 0..<200 {
        #expect(try stage.word(page) == originalWord(page))
        stage.cache.waitForReads()
      }
      #expect(reads(stage).allSatisfy { $0.count > 1 }, "\(reads(stage))")
      let counts = counts(stage)
      #expect(counts.hits > 180 && counts.wasted == 0, "\(counts)")
    }
  }

  /// What is evicted or cut off unused is waste.
  @Test func waste() throws {
    try CacheStage.run(pages: 16, limit: 16) { stage throws in
      _ = try stage.word(0)
      #expect(counts(stage) == ReadAheadCounts(pages: 3, hits: 0, wasted: 0))
      stage.cache.evict(16)
      #expect(counts(stage) == ReadAheadCounts(pages: 3, hits: 0, wasted: 3))
      _ = try stage.word(8)
      _ = try stage.word(9)
      #expect(counts(stage) == ReadAheadCounts(pages: 6, hits: 0, wasted: 3))
      try stage.cache.setByteCount(10 * Page.size)
      #expect(counts(stage) == ReadAheadCounts(pages: 6, hits: 0, wasted: 6))
    }
  }

  /// A page of a window that is in memory already is left alone. What lies on both sides is read together.
  @Test func aWindowWithAHole() throws {
    try CacheStage.run(pages: 40, limit: 32) { stage throws in
      for page in [15, 8, 9] { _ = try stage.word(page) }
      stage.store.fail(nil)
      _ = try stage.word(11)
      stage.cache.waitForReads()
      #expect(reads(stage) == [13..<15, 16..<21])
      #expect(stage.store.groups.last == [13, 14, 16, 17, 18, 19, 20])
    }
  }

  /// The reader goes on while the next window is read, and waits where it comes to it.
  @Test func theReaderDoesNotWait() throws {
    try CacheStage.run(pages: 40, limit: 40) { stage throws in
      let gate = Rounds(1)
      stage.store.onCall { if case .read(page: 4, _) = $0 { gate.wait() } }
      for page in 0..<4 { #expect(try stage.word(page) == originalWord(page)) }
      #expect(!stage.cache.isResident(page: 4))
      gate.arrive()
      #expect(try stage.word(4) == originalWord(4))
      #expect(reads(stage).prefix(2) == [0..<4, 4..<12])
      stage.cache.waitForReads()
      stage.store.onCall(nil)
    }
  }

  /// Windows that wait together are read together.
  @Test func windowsOfSeveralStreams() throws {
    try CacheStage.run(pages: 400, limit: 200, ram: 512) { stage throws in
      let (gate, began) = (Rounds(1), Rounds(1))
      stage.store.onCall {
        if case .read(page: 4, _) = $0 {
          began.arrive()
          gate.wait()
        }
      }
      for page in 0..<3 { _ = try stage.word(page) }
      began.wait()
      for start in [100, 200, 300] { for page in start..<start + 4 { _ = try stage.word(page) } }
      gate.arrive()
      stage.cache.waitForReads()
      let windows = [105, 205, 305].flatMap { Array($0..<$0 + 8) }
      #expect(stage.store.groups.contains(windows), "\(stage.store.groups)")
      stage.store.onCall(nil)
    }
  }

  /// A hit takes no lock of the reader's: not the first one by an entry, not one that finds the page in the cache.
  @Test func aHitTakesNoLock() throws {
    try CacheStage.run(pages: 8, limit: 64) { stage throws in
      for _ in 0..<2 { for page in 0..<8 { _ = try stage.word(page) } }
      stage.cache.waitForReads()
      try stage.space.map(
        at: 0x8000_0000, pages: 8, protection: .read, sharing: .shared, backing: .file(stage.cache))
      let (reader, space) = (stage.cache.reader, stage.space)
      let done = Rounds(1)
      reader.contentLock.writing {
        reader.streams.withLock { _ in
          reader.changes.locked {
            runThread { [unowned space] in
              for page in 0..<8 { _ = try? space.load(at: VirtualAddress(0x8000_0000) + page * Page.size, count: 1) }
              done.arrive()
            }
            done.wait()
          }
        }
      }
      #expect(space.entry(at: VirtualAddress(0x8000_0000) + 7 * Page.size).kind != .none)
    }
  }

  /// An error in what is read ahead is seen by no thread that did not ask, and a thread that asks gets its own.
  @Test func anErrorAhead() throws {
    try CacheStage.run(pages: 40, limit: 40) { stage throws in
      stage.store.fail { call, _ in if case .read(page: 4, _) = call { .file(.read, errno: 5) } else { nil } }
      for page in 0..<4 { #expect(try stage.word(page) == originalWord(page)) }
      stage.cache.waitForReads()
      #expect(!stage.cache.isResident(page: 4) && !stage.cache.isResident(page: 11))
      #expect(throws: PageError.busErrorOfFile(.read, errno: 5)) { _ = try stage.word(4) }
      #expect(try stage.word(5) == originalWord(5))
      stage.store.fail(nil)
      #expect(try stage.word(4) == originalWord(4))
      try stage.cache.sync()
    }
  }

  /// A cache that ends while it reads ahead has its frames back.
  @Test func theEndWaits() throws {
    try CacheStage.run(pages: 40, limit: 40) { stage throws in
      let began = Rounds(1)
      stage.store.onCall {
        if case .read(page: 4, _) = $0 {
          began.arrive()
          pauseBriefly()
        }
      }
      for page in 0..<3 { _ = try stage.word(page) }
      began.wait()
    }
  }
}
