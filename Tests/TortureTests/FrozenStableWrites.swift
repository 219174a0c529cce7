#if DEBUG
  import TestSupport
  import Testing
  import UserPages

  extension TortureTests {
    /// Stores that come while a stable cache has a page's copy, and has let none in.
    @Suite struct FrozenStableWrites {
      private let first = CacheFreeze.first

      /// (b6'): by an entry, which is read-only, or by `write`.
      @Test(arguments: Engines.lockless, [false, true])
      func aStoreBeforeTheCopies(engine: PinEngine, isWrite: Bool) throws {
        try withFrozenCache(engine, stability: .copies) { [first] stage in
          let (space, cache) = (stage.space, stage.cache)
          try space.store(UInt64(5), at: first)
          let sync = stage.freezer.start("sync", freezeAt: .writeBackBetweenCopiesAndStores) { try cache.sync() }
          #expect(sync.waitUntilFrozen())
          let store = stage.freezer.start("store") {
            if isWrite {
              try cache.write([6, 0, 0, 0, 0, 0, 0, 0], at: 0)
            } else {
              try space.store(UInt64(6), at: first)
            }
          }
          #expect(!store.mayFinish(), "a page changed while it was copied")
          sync.thaw()
          try sync.join()
          try store.join()
          #expect(stage.written() == 5)
          #expect(cache.dirtyPages == 1 && cache.copiedPages == 1)
          try cache.sync()
          #expect(stage.written() == 6)
        }
      }

      /// The holder of a page stores while its copy is written. The page stays dirty, though all pages are copied.
      @Test(arguments: Engines.lockless)
      func aHolderOfACopiedPage(engine: PinEngine) throws {
        try withFrozenCache(engine, stability: .copies) { [first] stage in
          let (space, cache) = (stage.space, stage.cache)
          let pin = try space.pin(at: first, .write)
          pin.store(UInt64(5))
          let sync = stage.freezer.start("sync", freezeAt: .writeBackBetweenCopiesAndStores) { try cache.sync() }
          #expect(sync.waitUntilFrozen())
          pin.store(UInt64(6))
          sync.thaw()
          try sync.join()
          #expect(stage.written() == 5 && cache.dirtyPages == 1)
          pin.release(dirty: true)
          stage.memory.flushDeferredFrees()
          try cache.sync()
          #expect(stage.written() == 6 && cache.dirtyPages == 0)
        }
      }
    }
  }
#endif
