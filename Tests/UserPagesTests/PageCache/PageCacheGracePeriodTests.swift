#if DEBUG
  import Foundation
  import TestSupport
  import Testing

  @testable import UserPages

  /// One grace period serves all pages of an eviction's batch, and of a write-back's.
  @Suite struct PageCacheGracePeriodTests {
    private static let pages = 512
    // Another test's grace period may serve a batch, but not batch after batch.
    private static let rounds = 4

    /// How often the calling thread needs a grace period that has not ended while it runs `body`.
    private func gracePeriods(_ body: () throws -> Void) rethrows -> Int {
      let thread = pthread_self()
      let count = Locked(0)
      let handler = YieldPoint.install { point, _ in
        if point == .gracePeriodBeforeWait, pthread_self() == thread { count.withLock { $0 += 1 } }
      }
      defer { YieldPoint.remove(handler) }
      try body()
      return count.withLock { $0 }
    }

    private func run(_ body: (CacheStage) throws -> Void) throws {
      try CacheStage.run(pages: Self.pages, limit: Self.pages, ram: Self.pages + 128) { stage in try body(stage) }
    }

    /// Brings pages in, the last one first: nothing is read ahead.
    private func load(_ pages: Range<Int>, _ stage: CacheStage) throws {
      for page in pages.reversed() { _ = try stage.word(page) }
      _ = stage.space.takeAccessed(among: Array(pages), of: stage.cache)
    }

    @Test(arguments: [1, 16, 256])
    func anEviction(count: Int) throws {
      try run { stage in
        var waits = 0
        for _ in 0..<Self.rounds {
          try load(0..<Self.pages, stage)
          waits += gracePeriods { #expect(stage.cache.evict(count) == count) }
        }
        #expect((1...Self.rounds).contains(waits), "\(waits) grace periods for \(Self.rounds) batches")
      }
    }

    /// What an eviction writes first is a batch of its own.
    @Test(arguments: [1, 16, 128])
    func anEvictionOfDirtyPages(count: Int) throws {
      try run { stage in
        var waits = 0
        for _ in 0..<Self.rounds {
          for page in (0..<count).reversed() { try stage.space.store(UInt64(page), at: stage.address(page)) }
          _ = stage.space.takeAccessed(among: Array(0..<count), of: stage.cache)
          waits += gracePeriods { #expect(stage.cache.evict(count) == count) }
        }
        #expect((1...2 * Self.rounds).contains(waits), "\(waits) grace periods for \(Self.rounds) batches")
      }
    }

    @Test(arguments: [(1, 1), (16, 1), (PageCache.batchSize, 1), (2 * PageCache.batchSize, 2)])
    func aWriteBack(count: Int, batches: Int) throws {
      try run { stage in
        var waits = 0
        for round in 0..<Self.rounds {
          for page in (0..<count).reversed() { try stage.space.store(UInt64(round), at: stage.address(page)) }
          waits += try gracePeriods { try stage.cache.flush(0..<Self.pages) }
          #expect(stage.cache.dirtyPages == 0)
        }
        #expect((1...batches * Self.rounds).contains(waits), "\(waits) grace periods for \(Self.rounds) rounds")
      }
    }
  }
#endif
