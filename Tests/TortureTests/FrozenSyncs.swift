#if DEBUG
  import Glibc
  import TestSupport
  import Testing

  @testable import UserPages

  extension TortureTests {
    /// Single steps of syncs and evictions beside other operations on their pages.
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

      /// An entry goes while a write-back counts holders: the get's reference is not taken for the entry's.
      @Test func anEntryThatGoesBetweenTheLooks() throws {
        try withFrozenCache { stage in
          let (space, cache, first) = (stage.space, stage.cache, CacheFreeze.first)
          try space.store(UInt64(5), at: first)
          let get = try space.pin(at: first, [.get, .write])
          let sync = stage.freezer.start("sync", freezeAt: .writeBackBetweenMappingsAndReferences) { try cache.sync() }
          #expect(sync.waitUntilFrozen())
          let advice = stage.freezer.start("advice") {
            try space.advise(at: first, pages: 1, .dontNeed)
            stage.memory.flushDeferredFrees()
          }
          #expect(!advice.mayFinish(), "the reference of an entry that was counted fell before it was counted")
          sync.thaw()
          try sync.join()
          try advice.join()
          #expect(cache.dirtyPages == 1, "a device stores to a page that the cache believes to be clean")
          get.deviceBytes.store(UInt64(7))
          get.release(dirty: true)
          stage.memory.flushDeferredFrees()
          try cache.sync()
          #expect(stage.written() == 7 && cache.dirtyPages == 0)
        }
      }

      /// (b6): a fault has counted its entry when a write-back counts entries. It fails before the write-back counts
      /// references, and gives its own back. A get's reference must not pass for the fault's.
      @Test func aGetBesideAFaultThatFails() throws {
        // Whether a store that asks is to stop, and whether one has.
        let flags = Board(2)
        let hooks = PageCache.Hooks(willStore: { _ throws(PageError) in
          if flags[0] == 0 { return }
          flags[1] = 1
          while flags[0] == 1 {}
        })
        try withFrozenCache(hooks: hooks) { stage in
          let (space, cache, memory) = (stage.space, stage.cache, stage.memory)
          try space.store(UInt64(5), at: CacheFreeze.first)
          let get = try space.pin(at: CacheFreeze.first, [.get, .write])
          memory.flushDeferredFrees()
          let sync = stage.freezer.start("sync", freezeAt: .writeBackBetweenGraceAndLook) { try cache.sync() }
          #expect(sync.waitUntilFrozen())
          let store = stage.freezer.start("store", freezeAt: .faultBeforeInstall) {
            try space.store(UInt64(6), at: CacheFreeze.second)
          }
          #expect(store.waitUntilFrozen())
          sync.thaw(until: .writeBackBetweenMappingsAndReferences)
          #expect(sync.waitUntilFrozen())
          // As if the fault had asked before (b2).
          flags[0] = 1
          cache.moves.advance()
          store.thaw()
          while flags[1] == 0 {}
          let flush = stage.freezer.start("flush") { memory.flushDeferredFrees() }
          #expect(!flush.mayFinish(), "the reference of an entry that was counted fell before it was counted")
          sync.thaw()
          try sync.join()
          flags[0] = 0
          try flush.join()
          try store.join()
          #expect(cache.copiedPages == 1, "a page was taken for clean while a get held it")
          get.release()
          memory.flushDeferredFrees()
          try cache.sync()
          #expect(stage.written() == 6 && cache.dirtyPages == 0)
        }
      }

      // MARK: Steps of a write-back

      /// (b2) before (b3): a fault that lost its mark finds the sequence advanced once the entries are read-only.
      @Test(arguments: Engines.lockless)
      func anOldSequence(engine: PinEngine) throws {
        try withFrozenCache(engine) { stage in
          let (space, cache) = (stage.space, stage.cache)
          try space.store(UInt64(5), at: CacheFreeze.first)
          _ = try space.load(at: CacheFreeze.second, count: 1)
          let sync = stage.freezer.start("sync", freezeAt: .writeBackBeforeMarks) { try cache.sync() }
          #expect(sync.waitUntilFrozen())
          let store = stage.freezer.start("store", freezeAt: .faultBeforeInstall) {
            try space.store(UInt64(6), at: CacheFreeze.second)
          }
          #expect(store.waitUntilFrozen())
          sync.thaw(until: .writeBackBetweenProtectAndGrace)
          #expect(sync.waitUntilPast(.writeBackBetweenProtectAndGrace))
          store.thaw()
          #expect(store.mayFinish())
          sync.thaw()
          try store.join()
          try sync.join()
          #expect(cache.dirtyPages == 1, "a store is in a page that the cache believes to be clean")
          try cache.sync()
          #expect(stage.written() == 6)
        }
      }

      /// (b2), (b3): a fault between them makes its entry writable, and marks the page. The entry is read-only after.
      @Test(arguments: Engines.lockless)
      func aStoreBeforeTheEntriesAreProtected(engine: PinEngine) throws {
        try withFrozenCache(engine) { stage in
          let (space, cache, second) = (stage.space, stage.cache, CacheFreeze.second)
          try space.store(UInt64(5), at: CacheFreeze.first)
          _ = try space.load(at: second, count: 1)
          let sync = stage.freezer.start("sync", freezeAt: .writeBackBetweenSequenceAndProtect) { try cache.sync() }
          #expect(sync.waitUntilFrozen())
          try space.store(UInt64(6), at: second)
          sync.thaw()
          try sync.join()
          #expect(stage.written() == 6 && cache.dirtyPages == 1)
          try cache.sync()
          try space.store(UInt64(7), at: second)
          #expect(cache.dirtyPages == 1, "an entry stayed writable")
        }
      }

      /// (b7), (b8): a store that comes when the page is written is in the next write.
      @Test(arguments: Engines.lockless)
      func aStoreAfterTheWrite(engine: PinEngine) throws {
        try withFrozenCache(engine) { stage in
          let (space, cache) = (stage.space, stage.cache)
          try space.store(UInt64(5), at: CacheFreeze.first)
          let sync = stage.freezer.start("sync", freezeAt: .writeBackBetweenStoresAndEnd) { try cache.sync() }
          #expect(sync.waitUntilFrozen())
          try space.store(UInt64(6), at: CacheFreeze.first)
          sync.thaw()
          try sync.join()
          #expect(stage.written() == 5)
          #expect(cache.dirtyPages == 1, "a store is in a page that the cache believes to be clean")
          try cache.sync()
          #expect(stage.written() == 6)
        }
      }

      // MARK: Steps of an eviction

      /// (e1): a page under write-back is not evicted before (b8).
      @Test(arguments: [YieldPoint.writeBackBetweenCopiesAndStores, .writeBackBetweenStoresAndEnd])
      func anEvictionOfAPageThatIsWritten(point: YieldPoint) throws {
        try withFrozenCache { stage in
          let cache = stage.cache
          try stage.space.store(UInt64(5), at: CacheFreeze.first)
          let sync = stage.freezer.start("sync", freezeAt: point) { try cache.sync() }
          #expect(sync.waitUntilFrozen())
          let evict = stage.freezer.start("evict") { stage.freezer.expect(cache.evict(1) == 1, "the page stayed") }
          #expect(!evict.mayFinish(), "a page went while it was written")
          #expect(cache.isResident(page: 0))
          sync.thaw()
          try sync.join()
          try evict.join()
          #expect(stage.written() == 5)
        }
      }

      /// (e1), (e2): a store rescues the page that the eviction has claimed. The eviction goes on, and the page stays.
      @Test(arguments: Engines.lockless)
      func aStoreBeforeTheEntriesAreEmptied(engine: PinEngine) throws {
        try withFrozenCache(engine) { stage in
          let (space, cache, first) = (stage.space, stage.cache, CacheFreeze.first)
          _ = try space.load(at: first, count: 1)
          let evict = stage.freezer.start("evict", freezeAt: .evictionBetweenClaimAndUnmap) { cache.evict(1) }
          #expect(evict.waitUntilFrozen())
          try space.store(UInt64(6), at: first)
          evict.thaw(until: .evictionBetweenClaimAndUnmap)
          #expect(evict.waitUntilFrozen(), "a page was evicted that a store had rescued")
          // It came back for a second look, and wrote the store first.
          #expect(cache.dirtyPages == 0 && stage.written() == 6)
          evict.thaw()
          try evict.join()
          #expect(try space.load(at: first, as: UInt64.self) == 6)
        }
      }
    }
  }
#endif
