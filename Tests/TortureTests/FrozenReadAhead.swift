#if DEBUG
  import Glibc
  import TestSupport
  import Testing
  import UserPages

  extension TortureTests {
    /// Windows that are queued, with a thread that is frozen before it reads them, and pages that come meanwhile.
    @Suite struct FrozenReadAhead {
      private let first = CacheFreeze.first

      /// A cut does not wait for what is only queued, and what it cut off is not read.
      @Test func aCut() throws {
        try withFrozenCache(pages: 16, limit: 32) { [first] stage in
          let (space, cache) = (stage.space, stage.cache)
          let reader = stage.freezer.freezeThread(of: stage.memory, at: .readAheadBeforeLock)
          for page in 0..<3 { _ = try space.load(at: first + page * Page.size, count: 1) }
          #expect(reader.waitUntilFrozen())
          let resident = cache.residentPages
          let cut = stage.freezer.start("cut") { try cache.setByteCount(6 * Page.size) }
          #expect(cut.mayFinish(), "a cut waits for a window that is not being read")
          try cut.join()
          #expect(cache.residentPages == resident, "a page that is being read was taken away")
          reader.thaw()
          // It waits for the window, which has this page and the next one now.
          #expect(try space.load(at: first + 4 * Page.size, count: 1) == [5])
          for _ in 0..<5000 where cache.residentPages > 6 { usleep(1000) }
          #expect(cache.residentPages <= 6, "pages behind the end stay in memory")
          let beyond = stage.store.calls.contains { call in
            if case .read(let page, let count) = call { page + count > 6 } else { false }
          }
          #expect(!beyond, "the store was asked for pages that it has no longer: \(stage.store.calls)")
          try cache.setByteCount(16 * Page.size)
          #expect(try space.load(at: first + 7 * Page.size, count: 8) == [UInt8](repeating: 0, count: 8))
        }
      }

      /// A page of the window is not read twice: a thread that needs it waits.
      @Test func aReaderThatCatchesUp() throws {
        try withFrozenCache(pages: 16, limit: 32) { [first] stage in
          let space = stage.space
          let reader = stage.freezer.freezeThread(of: stage.memory, at: .readAheadBeforeLock)
          for page in 0..<4 { _ = try space.load(at: first + page * Page.size, count: 1) }
          #expect(reader.waitUntilFrozen())
          let load = stage.freezer.start("load") {
            stage.freezer.expect(try space.load(at: first + 5 * Page.size, count: 1) == [6], "another page's bytes")
          }
          #expect(!load.mayFinish(), "a page was read beside the window that it is in")
          reader.thaw()
          try load.join()
          let reads = stage.store.calls.filter { if case .read = $0 { true } else { false } }
          #expect(reads == [.read(page: 0, count: 4), .read(page: 4, count: 8)])
        }
      }

      /// A page that is there when a thread comes to read it is read no second time. No other page goes to make room.
      @Test func aPageThatComesMeanwhile() throws {
        try withFrozenCache { [first] stage in
          let (space, cache) = (stage.space, stage.cache)
          for page in 0..<3 { _ = try space.load(at: first + page * Page.size, count: 1) }
          let last = first + 3 * Page.size
          let read = stage.freezer.start("read", freezeAt: .cacheBetweenReadAndInstall) {
            stage.freezer.expect(try space.load(at: last, count: 1) == [4], "another page's bytes")
          }
          #expect(read.waitUntilFrozen())
          let load = stage.freezer.start("load", freezeAt: .cacheBetweenMissAndRead) {
            stage.freezer.expect(try space.load(at: last, count: 1) == [4], "another page's bytes")
          }
          #expect(load.waitUntilFrozen())
          read.thaw()
          try read.join()
          load.thaw()
          try load.join()
          #expect(cache.misses == 4, "a page that is there was to be read")
          #expect(cache.evictedPages == 0 && cache.residentPages == 4, "a page went for one that was there")
        }
      }

      /// A cache ends when its reads are over, and what it read is free.
      @Test func theEnd() throws {
        try play { freezer, machine in
          let flags = Board(2)
          let reader = freezer.freezeThread(of: machine.memory, at: .readAheadBeforeLock)
          let user = freezer.start("user") {
            do {
              let cache = try PageCache(machine.memory, MemoryStore(pages: 16), limit: 32)
              _ = try cache.read(at: 0, count: 3 * Page.size)
              while flags[0] == 0 {}
            }
            flags[1] = 1
          }
          #expect(reader.waitUntilFrozen())
          flags[0] = 1
          #expect(!user.mayFinish() && flags[1] == 0, "a cache ended while a thread read for it")
          reader.thaw()
          try user.join()
        }
      }
    }
  }
#endif
