#if DEBUG
  import TestSupport
  import Testing

  @testable import UserPages

  extension TortureTests {
    /// Mirrored stores to pages of a file that is written back, cut, or left behind by its program.
    @Suite struct FrozenMirroredFiles {
      @Test func aStoreAndWriteBack() throws {
        try withFrozenCache { stage in
          let (space, cache) = (stage.space, stage.cache)
          let mirror = try space.mirror(at: CacheFreeze.first, pages: 4, for: .write)
          try mirror.store(UInt64(5), at: CacheFreeze.first)
          let store = stage.freezer.start("store", freezeAt: .mirrorBetweenTranslationAndBytes) {
            try mirror.store(UInt64(6), at: CacheFreeze.first)
          }
          #expect(store.waitUntilFrozen())
          let sync = stage.freezer.start("sync") { try cache.sync() }
          #expect(sync.waitUntilPast(.writeBackBetweenProtectAndGrace))
          #expect(!sync.mayFinish(), "the page was written while a mirrored store was under way")
          store.thaw()
          try store.join()
          try sync.join()
          #expect(stage.written() == 6 && cache.dirtyPages == 0)
          try mirror.store(UInt64(7), at: CacheFreeze.first)
          #expect(cache.dirtyPages == 1)
        }
      }

      /// The program lets go of its space while a mirror of it is used. If that were the space's end, a write-back in
      /// the middle of it would find no entry of the page. The store through the mirror's translation would then be in
      /// no write.
      @Test func aStoreAfterTheProgramsLastReference() throws {
        try play { freezer, machine in
          let store = MemoryStore(pages: 1)
          let cache = try PageCache(machine.memory, store, limit: 1, maximumPages: 1)
          let file: VirtualAddress = 0x4000_0000
          let (mirror, last) = try {
            let space = AddressSpace(machine.memory)
            // A page in another node of the table, which an end would come to first.
            try space.map(at: 0x10000, pages: 1, protection: .readWrite)
            try space.store(UInt64(1), at: 0x10000)
            try space.map(at: file, pages: 1, protection: .readWrite, sharing: .shared, backing: .file(cache))
            return (try space.mirror(at: file, pages: 1, for: .write), Locked<AddressSpace?>(space))
          }()
          try mirror.store(UInt64(5), at: file)
          let end = freezer.start("end", freezeAt: .unmapBetweenClearAndFree) { last.withLock { $0 = nil } }
          _ = end.waitUntilFrozen()
          try cache.flush(0..<1)
          #expect(cache.dirtyPages == 0)
          let isStored = try tolerating(.badAddress) { () throws(PageError) in try mirror.store(UInt64(6), at: file) }
          end.thaw()
          try end.join()
          try cache.sync()
          #expect(isStored, "the mirror does not keep its space")
          #expect(MemoryStore.word(store.contents, at: 0) == 6, "the store is in no write")
        }
      }

      @Test func aStoreAndTruncation() throws {
        try withFrozenCache { stage in
          let mirror = try stage.space.mirror(at: CacheFreeze.first, pages: 4, for: .write)
          let page = CacheFreeze.first + Page.size
          try mirror.store(UInt64(5), at: page)
          let store = stage.freezer.start("store", freezeAt: .mirrorBetweenTranslationAndBytes) {
            try mirror.store(UInt64(6), at: page)
          }
          #expect(store.waitUntilFrozen())
          let cut = stage.freezer.start("truncate") { [cache = stage.cache] in
            try cache.setByteCount(Page.size)
            try cache.setByteCount(4 * Page.size)
          }
          #expect(!cut.mayFinish(), "the page was cut off while a mirrored store was under way")
          store.thaw()
          try store.join()
          try cut.join()
          #expect(try mirror.load(at: page, as: UInt64.self) == 0)
        }
      }
    }
  }
#endif
