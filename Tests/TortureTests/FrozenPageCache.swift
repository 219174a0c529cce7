#if DEBUG
  import TestSupport
  import Testing
  import UserPages

  extension TortureTests {
    /// Stores, pins, faults and writes that are frozen while their page is written back, evicted or cut off.
    @Suite struct FrozenPageCache {
      private let first = CacheFreeze.first
      private let second = CacheFreeze.second

      // MARK: Write-back

      /// (c): the fault has marked the page, and the write-back takes the mark, before the entry becomes writable.
      @Test(arguments: Engines.lockless)
      func aStoreThatLosesItsMark(engine: PinEngine) throws {
        try withFrozenCache(engine) { [first, second] stage in
          let (space, cache) = (stage.space, stage.cache)
          try space.store(UInt64(5), at: first)
          _ = try space.load(at: second, count: 1)
          let sync = stage.freezer.start("sync", freezeAt: .writeBackBeforeMarks) { try cache.sync() }
          #expect(sync.waitUntilFrozen())
          // It finds the page dirty, and its own entry read-only.
          let store = stage.freezer.start("store", freezeAt: .faultBeforeInstall) {
            try space.store(UInt64(6), at: second)
          }
          #expect(store.waitUntilFrozen())
          sync.thaw(until: .writeBackBetweenProtectAndGrace)
          #expect(sync.waitUntilPast(.writeBackBetweenProtectAndGrace))
          store.thaw()
          sync.thaw()
          try store.join()
          try sync.join()
          #expect(cache.dirtyPages == 1, "a store is in a page that the cache believes to be clean")
          try cache.sync()
          #expect(stage.written() == 6)
        }
      }

      /// [count-then-mark]: a thread stops between counting a page and marking it, or the other way round. Another
      /// stores to the page and syncs.
      @Test(arguments: Engines.lockless)
      func aMarkThatIsNotCounted(engine: PinEngine) throws {
        try withFrozenCache(engine) { [first, second] stage in
          let (space, cache) = (stage.space, stage.cache)
          _ = try space.load(at: first, count: 1)
          _ = try space.load(at: second, count: 1)
          let store = stage.freezer.start("store", freezeAt: .dirtyBetweenCountAndMark) {
            try space.store(UInt64(5), at: first)
          }
          #expect(store.waitUntilFrozen())
          try space.store(UInt64(6), at: second)
          try cache.sync()
          #expect(stage.written() == 6, "sync believed that no page was dirty")
          store.thaw()
          try store.join()
          try cache.sync()
          #expect(stage.written() == 5)
          #expect(cache.dirtyPages == 0)
        }
      }

      /// (d): a store by the old entry lands before the page is written.
      @Test(arguments: Engines.lockless)
      func aStoreThatHasReadItsEntry(engine: PinEngine) throws {
        try withFrozenCache(engine) { [first] stage in
          let (space, cache) = (stage.space, stage.cache)
          try space.store(UInt64(5), at: first)
          let store = stage.freezer.start("store", freezeAt: .accessBetweenEntryAndBytes) {
            try space.store(UInt64(6), at: first)
          }
          #expect(store.waitUntilFrozen())
          let sync = stage.freezer.start("sync") { try cache.sync() }
          #expect(sync.waitUntilPast(.writeBackBetweenProtectAndGrace))
          #expect(!sync.mayFinish(), "the page was written while a store was under way")
          store.thaw()
          try store.join()
          try sync.join()
          #expect(stage.written() == 6)
          #expect(cache.dirtyPages == 0)
        }
      }

      /// (d): a pin for writing by the old entry keeps the page dirty, however it is held.
      @Test(arguments: Engines.lockless, [false, true])
      func aPinThatHasReadItsEntry(engine: PinEngine, isGet: Bool) throws {
        try withFrozenCache(engine) { [first] stage in
          let (space, cache) = (stage.space, stage.cache)
          try space.store(UInt64(5), at: first)
          let flags = Board(2)
          let pin = stage.freezer.start("pin", freezeAt: .pinBetweenEntryAndReference) {
            let pin = try space.pin(at: first, isGet ? [.get, .write] : .write)
            flags[0] = 1
            while flags[1] == 0 {}
            pin.deviceBytes.store(UInt64(7))
            pin.release(dirty: true)
          }
          #expect(pin.waitUntilFrozen())
          let sync = stage.freezer.start("sync") { try cache.sync() }
          #expect(sync.waitUntilPast(.writeBackBetweenProtectAndGrace))
          #expect(!sync.mayFinish(), "the page was written before a pin could be seen")
          pin.thaw()
          try sync.join()
          while flags[0] == 0 {}
          #expect(cache.dirtyPages == 1, "a device stores to a page that the cache believes to be clean")
          flags[1] = 1
          try pin.join()
          try cache.sync()
          #expect(stage.written() == 7)
        }
      }

      /// (b1), (b2): stores that come when the mark is gone and the sequence stands. One by an entry that has been
      /// writable is written. One that makes an entry writable marks the page again, and the entry is read-only after.
      @Test(arguments: Engines.lockless, [false, true])
      func aStoreBeforeTheSequence(engine: PinEngine, byWritableEntry: Bool) throws {
        try withFrozenCache(engine) { [first, second] stage in
          let (space, cache) = (stage.space, stage.cache)
          try space.store(UInt64(5), at: first)
          _ = try space.load(at: second, count: 1)
          let sync = stage.freezer.start("sync", freezeAt: .writeBackBetweenMarksAndSequence) { try cache.sync() }
          #expect(sync.waitUntilFrozen())
          try space.store(UInt64(6), at: byWritableEntry ? first : second)
          sync.thaw()
          try sync.join()
          #expect(stage.written() == 6, "a store by a writable entry was not written")
          #expect(cache.dirtyPages == (byWritableEntry ? 0 : 1))
          try cache.sync()
          try space.store(UInt64(7), at: second)
          try space.store(UInt64(8), at: first)
          #expect(cache.dirtyPages == 1, "an entry stayed writable")
          try cache.sync()
          #expect(stage.written() == 8)
        }
      }

      /// (b6): a pin for writing that comes after the grace period faults. The look sees it, or it marks the page that
      /// was looked at before.
      @Test(arguments: Engines.lockless, [false, true])
      func aPinAfterTheGracePeriod(engine: PinEngine, isGet: Bool) throws {
        try withFrozenCache(engine) { [first] stage in
          let (space, cache) = (stage.space, stage.cache)
          try space.store(UInt64(5), at: first)
          let sync = stage.freezer.start("sync", freezeAt: .writeBackBetweenGraceAndLook) { try cache.sync() }
          #expect(sync.waitUntilFrozen())
          let pin = try space.pin(at: first, isGet ? [.get, .write] : .write)
          pin.deviceBytes.store(UInt64(6))
          sync.thaw()
          try sync.join()
          #expect(cache.dirtyPages == 1, "a device stores to a page that the cache believes to be clean")
          pin.deviceBytes.store(UInt64(7))
          pin.release(dirty: true)
          stage.memory.flushDeferredFrees()
          try cache.sync()
          #expect(stage.written() == 7 && cache.dirtyPages == 0)
        }
      }

      /// `write` copies, a write-back comes and goes, and only then is the page marked.
      @Test func aWriteThatHasCopied() throws {
        try withFrozenCache { stage in
          let cache = stage.cache
          try cache.write([9], at: 8)
          let write = stage.freezer.start("write", freezeAt: .cacheBetweenCopyAndMark) {
            try cache.write([6, 0, 0, 0, 0, 0, 0, 0], at: 0)
          }
          #expect(write.waitUntilFrozen())
          try cache.sync()
          #expect(cache.evict(4) == 0, "a page was evicted under a write")
          write.thaw()
          try write.join()
          #expect(cache.dirtyPages == 1)
          try cache.sync()
          #expect(stage.written() == 6)
        }
      }

      // MARK: Eviction

      /// (g): a look-up stands between the index and the reference.
      @Test func aLookUpWithoutReference() throws {
        try withFrozenCache { [first, second] stage in
          let (space, cache) = (stage.space, stage.cache)
          _ = try space.load(at: first, count: 1)
          let load = stage.freezer.start("load", freezeAt: .cacheBetweenLookAndReference) {
            stage.freezer.expect(try space.load(at: second, count: 1) == [1], "another page's bytes")
          }
          #expect(load.waitUntilFrozen())
          let evict = stage.freezer.start("evict") { cache.evict(1) }
          #expect(evict.waitUntilPast(.evictionBetweenUnmapAndGrace))
          #expect(!evict.mayFinish(), "an eviction did not wait for a look-up")
          load.thaw()
          try evict.join()
          try load.join()
        }
      }

      /// (g), (k): a pin without a mapping stands between the index and its slot, or its reference.
      @Test(arguments: [true, false])
      func aPinWithoutAMapping(bySlot: Bool) throws {
        try withFrozenCache { stage in
          let cache = stage.cache
          _ = try cache.read(at: Page.size, count: 1)
          let pin = stage.freezer.start("pin", freezeAt: .cacheBetweenLookAndReference) {
            let pin = try cache.pin(page: 1, bySlot: bySlot)
            _ = cache.evict(1)
            stage.freezer.expect(cache.isResident(page: 1), "a pinned page was evicted")
            stage.freezer.expect(pin.load(as: UInt8.self) == 2, "another page's bytes")
          }
          #expect(pin.waitUntilFrozen())
          let evict = stage.freezer.start("evict") { cache.evict(1) }
          #expect(evict.waitUntilPast(.evictionBetweenUnmapAndGrace))
          #expect(!evict.mayFinish(), "an eviction did not wait for a pin")
          pin.thaw()
          try evict.join()
          try pin.join()
        }
      }

      /// (k): a pin for reading by the old entry.
      @Test(arguments: Engines.lockless, [false, true])
      func aPinAgainstEviction(engine: PinEngine, isGet: Bool) throws {
        try withFrozenCache(engine) { [first] stage in
          let (space, cache) = (stage.space, stage.cache)
          _ = try space.load(at: first, count: 1)
          let pin = FrozenHolder(stage.freezer, space, at: first, isGet ? .get : [])
          let evict = stage.freezer.start("evict") { cache.evict(1) }
          #expect(evict.waitUntilPast(.evictionBetweenUnmapAndGrace))
          #expect(!evict.mayFinish(), "an eviction did not wait for a pin")
          pin.thaw()
          try evict.join()
          pin.waitUntilHeld()
          try pin.storeAndEnd()
        }
      }

      /// A slot pin is no reference: only the scan shows it.
      @Test(arguments: Engines.lockless)
      func aHeldPageStays(engine: PinEngine) throws {
        try withFrozenCache(engine) { [first] stage in
          let (space, cache) = (stage.space, stage.cache)
          let pin = try space.pin(at: first)
          stage.memory.flushDeferredFrees()
          #expect(cache.evict(4) == 0, "a pinned page was evicted")
          #expect(cache.isResident(page: 0))
          try space.store(UInt64(5), at: first)
          #expect(pin.deviceBytes.load(as: UInt64.self) == 5)
          pin.release()
          stage.memory.flushDeferredFrees()
          #expect(cache.evict(4) == 1)
          #expect(stage.written() == 5)
        }
      }

      /// (l2), (j): a page that is needed again before the eviction decides.
      @Test(arguments: Engines.lockless, [false, true])
      func aRescue(engine: PinEngine, isStore: Bool) throws {
        try withFrozenCache(engine) { [first] stage in
          let (space, cache) = (stage.space, stage.cache)
          _ = try space.load(at: first, count: 1)
          let evict = stage.freezer.start("evict", freezeAt: .evictionBetweenGraceAndLook) { cache.evict(1) }
          #expect(evict.waitUntilFrozen())
          if isStore { try space.store(UInt64(6), at: first) } else { _ = try space.load(at: first, count: 1) }
          // Not by its reference shall the page be saved, but by its state.
          try space.advise(at: first, pages: 1, .dontNeed)
          stage.memory.flushDeferredFrees()
          evict.thaw(until: .evictionBetweenGraceAndLook)
          #expect(evict.waitUntilFrozen(), "a page was evicted that a fault had rescued")
          #expect(cache.isResident(page: 0))
          // It came back for a second look, and wrote the store first.
          #expect(cache.dirtyPages == 0 && (stage.written() == 6) == isStore)
          evict.thaw()
          try evict.join()
          #expect(try space.load(at: first, as: UInt64.self) == (isStore ? 6 : 0x0101_0101_0101_0101))
        }
      }
    }
  }
#endif
