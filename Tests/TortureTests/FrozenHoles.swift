#if DEBUG
  import TestSupport
  import Testing
  import UserPages

  extension TortureTests {
    /// Faults, accesses, pins, write-backs and evictions that are frozen while a cache's page goes, and the other way
    /// round.
    @Suite struct FrozenHoles {
      private let first = CacheFreeze.first + PageLoss.page * Page.size
      private let second = CacheFreeze.second + PageLoss.page * Page.size

      private func start(_ loss: PageLoss, _ stage: CacheFreeze, freezeAt point: YieldPoint? = nil) -> StagedThread {
        stage.freezer.start("loss", freezeAt: point) { [cache = stage.cache, store = stage.store] in
          try loss.run(cache, store)
        }
      }

      // MARK: Faults

      /// Step 1: the loss waits for a page that is being read, and takes it.
      @Test(arguments: PageLoss.allCases)
      func aReadUnderWay(loss: PageLoss) throws {
        try withFrozenCache { [first] stage in
          let space = stage.space
          let load = stage.freezer.start("load", freezeAt: .cacheBetweenReadAndInstall) {
            let seen = try space.load(at: first, as: UInt64.self)
            stage.freezer.expect(seen == 0x0303_0303_0303_0303 || seen == loss.word, "the page shows \(seen)")
          }
          #expect(load.waitUntilFrozen())
          let thread = start(loss, stage)
          #expect(!thread.mayFinish(), "a page stayed that was being read")
          load.thaw()
          try thread.join()
          try load.join()
          #expect(try space.load(at: first, as: UInt64.self) == loss.word)
        }
      }

      /// Steps 4 and 5: a fault with an answer from before the loss installs nothing. It asks again, and its store is
      /// in the page that the file has then.
      @Test(arguments: Engines.lockless, PageLoss.allCases)
      func anOldAnswer(engine: PinEngine, loss: PageLoss) throws {
        try withFrozenCache(engine) { [first] stage in
          let (space, cache) = (stage.space, stage.cache)
          let store = stage.freezer.start("store", freezeAt: .faultBeforeInstall) {
            try space.store(UInt64(1), at: first + 8)
          }
          #expect(store.waitUntilFrozen())
          let thread = start(loss, stage, freezeAt: .truncationBetweenUnmapAndGrace)
          #expect(thread.waitUntilFrozen())
          store.thaw()
          #expect(!store.mayFinish(), "a fault installed an old answer, or did not wait for the page")
          thread.thaw()
          try thread.join()
          try store.join()
          #expect(try space.load(at: first, as: UInt64.self) == loss.word, "a fault installed what has gone")
          #expect(
            try cache.read(at: PageLoss.page * Page.size + 8, count: 1) == [1], "a store went to a page that has gone")
        }
      }

      /// Step 3 before step 5: a fault that comes when the entries are gone finds the page gone too, and waits.
      @Test(arguments: Engines.lockless, PageLoss.allCases)
      func aFaultDuringTheLoss(engine: PinEngine, loss: PageLoss) throws {
        try withFrozenCache(engine) { [first, second] stage in
          let space = stage.space
          try space.store(UInt64(5), at: first)
          let thread = start(loss, stage, freezeAt: .truncationBetweenUnmapAndGrace)
          #expect(thread.waitUntilFrozen())
          let load = stage.freezer.start("load") {
            let seen = try space.load(at: first, as: UInt64.self)
            stage.freezer.expect(seen == loss.word, "a fault found what has gone: \(seen)")
          }
          #expect(!load.mayFinish(), "a fault did not wait for the page")
          thread.thaw()
          try thread.join()
          try load.join()
          try space.store(UInt64(6), at: first)
          #expect(try space.load(at: second, as: UInt64.self) == 6, "two mappings show two pages")
        }
      }

      /// A child that a fork makes between the end of the page and the end of its entries loses it as well.
      @Test(arguments: [YieldPoint.truncationBetweenDropAndUnmap, .truncationBetweenUnmapAndGrace], PageLoss.allCases)
      func aForkDuringTheLoss(point: YieldPoint, loss: PageLoss) throws {
        try withFrozenCache { [first] stage in
          try stage.space.store(UInt64(5), at: first)
          let thread = start(loss, stage, freezeAt: point)
          #expect(thread.waitUntilFrozen())
          let child = try stage.space.fork()
          thread.thaw()
          try thread.join()
          for space in [stage.space, child] { #expect(try space.load(at: first, as: UInt64.self) == loss.word) }
          child.exit()
        }
      }

      // MARK: Accesses and pins

      /// Before step 3 programs use the old page. Between 3 and 5 only the old entries lead to it, and a pin keeps it.
      @Test(arguments: Engines.lockless, PageLoss.allCases)
      func accessesDuringTheLoss(engine: PinEngine, loss: PageLoss) throws {
        try withFrozenCache(engine) { [first, second] stage in
          let (space, cache) = (stage.space, stage.cache)
          try space.store(UInt64(5), at: first)
          let pin = try space.pin(at: first, .write)
          let thread = start(loss, stage, freezeAt: .holeBetweenStoreAndDrop)
          #expect(thread.waitUntilFrozen())
          #expect(try space.load(at: second, as: UInt64.self) == 5)
          try space.advise(at: second, pages: 1, .dontNeed)
          thread.thaw(until: .truncationBetweenDropAndUnmap)
          #expect(thread.waitUntilFrozen())
          try space.store(UInt64(6), at: first)
          let load = stage.freezer.start("load") {
            stage.freezer.expect(try space.load(at: second, as: UInt64.self) == loss.word, "a page that has gone")
          }
          #expect(!load.mayFinish(), "a fault found a page that has gone")
          thread.thaw()
          try thread.join()
          try load.join()
          #expect(try space.load(at: first, as: UInt64.self) == loss.word)
          #expect(pin.deviceBytes.load(as: UInt64.self) == 6, "a pin lost its page")
          try space.store(UInt64(8), at: first)
          #expect(pin.deviceBytes.load(as: UInt64.self) == 6, "the orphan is the file's again")
          pin.release(dirty: true)
          try cache.sync()
          #expect(stage.written(PageLoss.page) == 8)
        }
      }

      /// Step 6: a store by the old entry has landed when the call returns.
      @Test(arguments: Engines.lockless, PageLoss.allCases)
      func aStoreByTheOldEntry(engine: PinEngine, loss: PageLoss) throws {
        try withFrozenCache(engine) { [first] stage in
          let space = stage.space
          try space.store(UInt64(5), at: first)
          let store = stage.freezer.start("store", freezeAt: .accessBetweenEntryAndBytes) {
            try space.store(UInt64(6), at: first)
          }
          #expect(store.waitUntilFrozen())
          let thread = start(loss, stage)
          #expect(thread.waitUntilPast(.truncationBetweenUnmapAndGrace))
          #expect(!thread.mayFinish(), "the call returned while a store by the old entry was under way")
          store.thaw()
          try store.join()
          try thread.join()
          #expect(try space.load(at: first, as: UInt64.self) == loss.word)
        }
      }

      /// A pin that has read the old entry is waited for. It finds the entry changed, or its slot keeps the orphan.
      @Test(arguments: Engines.lockless, PageLoss.allCases)
      func aPinByTheOldEntry(engine: PinEngine, loss: PageLoss) throws {
        try withFrozenCache(engine) { [first] stage in
          let (space, memory) = (stage.space, stage.memory)
          try space.store(UInt64(5), at: first)
          // The first pin of a page by a slot looks again. This one is not the first.
          try space.pin(at: first, .write).release()
          let flags = Board(2)
          let pin = stage.freezer.start("pin", freezeAt: .pinBetweenEntryAndReference) {
            guard let pin = try space.pin(at: first, [.write, .fastOnly], orGiveUpOn: [.tryAgain]) else {
              return stage.freezer.expect(engine == .reference, "a slot pin looks once")
            }
            stage.freezer.expect(engine == .slot, "a pin by reference did not look again")
            flags[0] = 1
            while flags[1] == 0 {}
            stage.freezer.expect(pin.deviceBytes.load(as: UInt64.self) == 5, "an orphan was taken from its pin")
            pin.release(dirty: true)
          }
          #expect(pin.waitUntilFrozen())
          let thread = start(loss, stage)
          #expect(thread.waitUntilPast(.truncationBetweenUnmapAndGrace))
          #expect(!thread.mayFinish(), "the call returned while a pin by the old entry was under way")
          pin.thaw()
          try thread.join()
          if engine == .slot { while flags[0] == 0 {} }
          memory.flushDeferredFrees()
          #expect(try space.load(at: first, as: UInt64.self) == loss.word)
          flags[1] = 1
          try pin.join()
        }
      }

      /// A pin without a mapping that has found its page, and has neither slot nor reference, keeps the orphan.
      @Test(arguments: [true, false], PageLoss.allCases)
      func aPinWithoutAMapping(bySlot: Bool, loss: PageLoss) throws {
        try withFrozenCache { [first] stage in
          let cache = stage.cache
          try cache.write([5], at: PageLoss.page * Page.size)
          let flags = Board(2)
          let pin = stage.freezer.start("pin", freezeAt: .cacheBetweenLookAndReference) {
            let pin = try cache.pin(page: PageLoss.page, bySlot: bySlot)
            flags[0] = 1
            while flags[1] == 0 {}
            stage.freezer.expect(pin.load(as: UInt8.self) == 5, "an orphan was taken from its pin")
            pin.release()
          }
          #expect(pin.waitUntilFrozen())
          let thread = start(loss, stage)
          #expect(thread.waitUntilPast(.truncationBetweenUnmapAndGrace))
          #expect(!thread.mayFinish(), "the call returned while a look-up of the page was under way")
          pin.thaw()
          try thread.join()
          while flags[0] == 0 {}
          stage.memory.flushDeferredFrees()
          #expect(try stage.space.load(at: first, as: UInt64.self) == loss.word)
          flags[1] = 1
          try pin.join()
        }
      }

      /// A mirrored store that has found its translation is waited for, and is gone with its page.
      @Test(arguments: PageLoss.allCases)
      func aMirroredStore(loss: PageLoss) throws {
        try withFrozenCache { [first] stage in
          let mirror = try stage.space.mirror(at: first, pages: 1, for: .write)
          try mirror.store(UInt64(5), at: first)
          let store = stage.freezer.start("store", freezeAt: .mirrorBetweenTranslationAndBytes) {
            try mirror.store(UInt64(6), at: first)
          }
          #expect(store.waitUntilFrozen())
          let thread = start(loss, stage)
          #expect(thread.waitUntilPast(.truncationBetweenUnmapAndGrace))
          #expect(!thread.mayFinish(), "the call returned while a mirrored store was under way")
          store.thaw()
          try store.join()
          try thread.join()
          #expect(try mirror.load(at: first, as: UInt64.self) == loss.word)
        }
      }

      // MARK: Write-back and eviction

      /// Step 1: no write-back writes what has gone over what the file has by now.
      @Test(arguments: [YieldPoint.holeBetweenStoreAndDrop, .truncationBetweenDropAndUnmap], PageLoss.allCases)
      func aWriteBackDuringTheLoss(point: YieldPoint, loss: PageLoss) throws {
        try withFrozenCache { [first] stage in
          let cache = stage.cache
          try stage.space.store(UInt64(5), at: first)
          let thread = start(loss, stage, freezeAt: point)
          #expect(thread.waitUntilFrozen())
          let sync = stage.freezer.start("sync") { try cache.sync() }
          #expect(!sync.mayFinish(), "a write-back did not wait for a page that goes")
          thread.thaw()
          try thread.join()
          try sync.join()
          #expect(stage.written(PageLoss.page) == loss.word && cache.dirtyPages == 0)
        }
      }

      /// Step 1 again: a hole waits for a write-back of its page.
      @Test func aHoleDuringTheWriteBack() throws {
        try withFrozenCache { [first] stage in
          let cache = stage.cache
          try stage.space.store(UInt64(5), at: first)
          let sync = stage.freezer.start("sync", freezeAt: .writeBackBetweenCopiesAndStores) { try cache.sync() }
          #expect(sync.waitUntilFrozen())
          let hole = start(.hole, stage)
          #expect(!hole.mayFinish(), "a hole was made under a page that is being written")
          sync.thaw()
          try sync.join()
          try hole.join()
          #expect(stage.written(PageLoss.page) == 0)
        }
      }

      /// Step 3 under an eviction of the page: one of the two makes it empty.
      @Test(arguments: PageLoss.allCases)
      func anEvictionUnderWay(loss: PageLoss) throws {
        try withFrozenCache { [first] stage in
          let (space, cache) = (stage.space, stage.cache)
          _ = try space.load(at: first, count: 1)
          let evict = stage.freezer.start("evict", freezeAt: .evictionBetweenGraceAndLook) {
            stage.freezer.expect(cache.evict(1) == 0, "an eviction took a page that was gone")
          }
          #expect(evict.waitUntilFrozen())
          try loss.run(cache, stage.store)
          evict.thaw()
          try evict.join()
          #expect(cache.residentPages == 0)
          #expect(try space.load(at: first, as: UInt64.self) == loss.word)
        }
      }
    }
  }
#endif
