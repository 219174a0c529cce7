#if DEBUG
  import Glibc
  import TestSupport
  import Testing
  import UserPages

  extension TortureTests {
    /// Syncs that fail beside other operations on their pages.
    @Suite struct FrozenSyncs {
      /// A page is evicted, read in again, stored to and written before the eviction is over. Then the disk fails to
      /// make the write durable: the next sync must write it again.
      @Test func aPageThatIsBackBeforeItsEvictionEnds() throws {
        try withFrozenCache { stage in
          let (space, cache, store, first) = (stage.space, stage.cache, stage.store, CacheFreeze.first)
          _ = try space.load(at: first, count: 1)
          let evict = stage.freezer.start("evict", freezeAt: .evictionBetweenEmptyAndEnd) { cache.evict(1) }
          #expect(evict.waitUntilFrozen())
          #expect(!cache.isResident(page: 0))
          try space.store(UInt64(7), at: first)
          store.fail { call, _ in if case .sync = call { .file(.sync, errno: EIO) } else { nil } }
          let sync = stage.freezer.start("sync", freezeAt: .syncBetweenWriteBackAndList) { try? cache.sync() }
          #expect(sync.waitUntilFrozen())
          evict.thaw()
          try evict.join()
          sync.thaw()
          try sync.join()
          #expect(cache.dirtyPages == 1, "a write that the disk may have lost is not repeated")
          store.fail(nil)
          try cache.sync()
          #expect(store.writes.count == 1)
        }
      }
    }
  }
#endif
