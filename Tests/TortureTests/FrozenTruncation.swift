#if DEBUG
  import TestSupport
  import Testing
  import UserPages

  extension TortureTests {
    /// Accesses and faults that are frozen while the file is cut under them.
    @Suite struct FrozenTruncation {
      private let first = CacheFreeze.first
      private let second = CacheFreeze.second

      /// A page that is being read when the file is cut: the cut waits, and takes it.
      @Test func aReadAgainstTruncation() throws {
        try withFrozenCache { [first] stage in
          let (space, cache) = (stage.space, stage.cache)
          let load = stage.freezer.start("load", freezeAt: .cacheBetweenReadAndInstall) {
            let page = first + 3 * Page.size
            do throws(PageError) {
              stage.freezer.expect([4, 0].contains(try space.load(at: page, count: 1)[0]), "another page's bytes")
            } catch {
              stage.freezer.expect(error == .busError, "\(error)")
            }
          }
          #expect(load.waitUntilFrozen())
          let cut = stage.freezer.start("truncate") { try cache.setByteCount(Page.size) }
          #expect(!cut.mayFinish(), "a cut did not wait for a read of what it cuts")
          load.thaw()
          try cut.join()
          try load.join()
          #expect(!cache.isResident(page: 3))
          try cache.setByteCount(4 * Page.size)
          #expect(try space.load(at: first + 3 * Page.size, count: 8) == [UInt8](repeating: 0, count: 8))
        }
      }

      /// A fault with an answer from before the cut installs nothing.
      @Test(arguments: Engines.lockless, [false, true])
      func anOldAnswer(engine: PinEngine, isStore: Bool) throws {
        try withFrozenCache(engine) { [first] stage in
          let (space, cache) = (stage.space, stage.cache)
          let access = stage.freezer.start("access", freezeAt: .faultBeforeInstall) {
            stage.freezer.expect(.busError) { () throws(PageError) in
              if isStore {
                try space.store(UInt64(1), at: first + 2 * Page.size)
              } else {
                _ = try space.load(at: first + 2 * Page.size, count: 1)
              }
            }
          }
          #expect(access.waitUntilFrozen())
          let cut = stage.freezer.start("truncate") { try cache.setByteCount(Page.size) }
          #expect(cut.waitUntilPast(.truncationBetweenUnmapAndGrace))
          access.thaw()
          try cut.join()
          try access.join()
          #expect(space.entry(at: first + 2 * Page.size).kind == .none)
        }
      }

      /// A store by the old entry has landed when the cut returns.
      @Test(arguments: Engines.lockless)
      func aStoreBeyondTheEnd(engine: PinEngine) throws {
        try withFrozenCache(engine) { [first] stage in
          let (space, cache) = (stage.space, stage.cache)
          let page = first + 2 * Page.size
          try space.store(UInt64(5), at: page)
          let store = stage.freezer.start("store", freezeAt: .accessBetweenEntryAndBytes) {
            try space.store(UInt64(6), at: page)
          }
          #expect(store.waitUntilFrozen())
          let cut = stage.freezer.start("truncate") { try cache.setByteCount(Page.size) }
          #expect(cut.waitUntilPast(.truncationBetweenUnmapAndGrace))
          #expect(!cut.mayFinish(), "a cut returned while a store beyond the end was under way")
          store.thaw()
          try store.join()
          try cut.join()
          #expect(throws: PageError.busError) { try space.load(at: page, count: 1) }
        }
      }

      /// Between the end of the page in the cache and the end of its entries.
      @Test(arguments: Engines.lockless)
      func accessesDuringTruncation(engine: PinEngine) throws {
        try withFrozenCache(engine) { [first, second] stage in
          let (space, cache) = (stage.space, stage.cache)
          let page = first + 2 * Page.size
          try space.store(UInt64(5), at: page)
          let pin = try space.pin(at: page, .write)
          let cut = stage.freezer.start("truncate", freezeAt: .truncationBetweenDropAndUnmap) {
            try cache.setByteCount(Page.size + 1)
          }
          #expect(cut.waitUntilFrozen())
          #expect(throws: PageError.busError) { try space.load(at: second + 2 * Page.size, count: 1) }
          // The old entry is there still.
          try space.store(UInt64(6), at: page)
          cut.thaw()
          try cut.join()
          #expect(throws: PageError.busError) { try space.load(at: page, count: 1) }
          #expect(pin.deviceBytes.load(as: UInt64.self) == 6, "a pin lost its page")
          try cache.setByteCount(4 * Page.size)
          #expect(try space.load(at: page, as: UInt64.self) == 0)
          try space.store(UInt64(8), at: page)
          #expect(pin.deviceBytes.load(as: UInt64.self) == 6, "the orphan is the file's again")
          pin.release(dirty: true)
          try cache.sync()
          #expect(stage.written(2) == 8)
        }
      }
    }
  }
#endif
