#if DEBUG
  import TestSupport
  import Testing
  import UserPages

  extension TortureTests {
    /// Faults and accesses that are frozen while a memory file is cut or punched under them.
    @Suite struct FrozenMemoryFiles {
      private let start: VirtualAddress = 0x10000

      private func address(_ page: Int) -> VirtualAddress { start + page * Page.size }

      private func withFrozenFile(
        _ engine: PinEngine = .reference, _ body: (Freezer, AddressSpace, PageCacheFile) throws -> Void
      ) throws {
        try play { freezer, machine in
          let file = try PageCacheFile(machine.memory, pages: 4, fill: 9, maximumPages: 8)
          let space = AddressSpace(machine.memory, engine: engine)
          try space.map(at: start, pages: 8, protection: .readWrite, sharing: .shared, backing: .file(file))
          try body(freezer, space, file)
          space.exit()
          file.drop()
        }
      }

      /// A frame that was filled before the cut is not the file's page after it.
      @Test(arguments: [false, true])
      func aFrameThatIsBeingFilled(isHole: Bool) throws {
        try withFrozenFile { [address] freezer, space, file in
          let load = freezer.start("load", freezeAt: .cacheBetweenReadAndInstall) {
            freezer.expect(try space.load(at: address(2), count: 1) == [0], "the file's old contents")
          }
          #expect(load.waitUntilFrozen())
          if isHole {
            try file.punchHole(2..<3)
          } else {
            try file.setByteCount(2 * Page.size)
            try file.setByteCount(4 * Page.size)
          }
          load.thaw()
          try load.join()
          #expect(try file.read(at: 2 * Page.size, count: 1) == [0])
        }
      }

      /// The same beyond the end: the page does not come into the cache.
      @Test func aFrameBeyondTheEnd() throws {
        try withFrozenFile { [address] freezer, space, file in
          let load = freezer.start("load", freezeAt: .cacheBetweenReadAndInstall) {
            freezer.expect(.busError) { () throws(PageError) in _ = try space.load(at: address(2), count: 1) }
          }
          #expect(load.waitUntilFrozen())
          try file.setByteCount(2 * Page.size)
          load.thaw()
          try load.join()
          try file.setByteCount(4 * Page.size)
          #expect(file.cachedPages == 0)
        }
      }

      /// A fault with an answer from before the cut installs nothing.
      @Test(arguments: Engines.lockless)
      func anOldAnswer(engine: PinEngine) throws {
        try withFrozenFile(engine) { [address] freezer, space, file in
          let store = freezer.start("store", freezeAt: .faultBeforeInstall) {
            freezer.expect(.busError) { () throws(PageError) in try space.store(UInt64(1), at: address(2)) }
          }
          #expect(store.waitUntilFrozen())
          let cut = freezer.start("truncate") { try file.setByteCount(Page.size) }
          #expect(cut.waitUntilPast(.truncationBetweenUnmapAndGrace))
          store.thaw()
          try cut.join()
          try store.join()
          #expect(space.entry(at: address(2)).kind == .none)
        }
      }

      /// A store by the old entry lands before the rest of the last page is cleared, and before a cut returns.
      @Test(arguments: Engines.lockless)
      func aStoreBehindTheEnd(engine: PinEngine) throws {
        try withFrozenFile(engine) { [address] freezer, space, file in
          try space.store(UInt64(5), at: address(2) + 8)
          let store = freezer.start("store", freezeAt: .accessBetweenEntryAndBytes) {
            try space.store(UInt64(6), at: address(2) + 8)
          }
          #expect(store.waitUntilFrozen())
          let cut = freezer.start("truncate") { try file.setByteCount(2 * Page.size + 8) }
          #expect(cut.waitUntilPast(.truncationBetweenUnmapAndGrace))
          #expect(!cut.mayFinish(), "a cut returned while a store behind the end was under way")
          store.thaw()
          try store.join()
          try cut.join()
          #expect(try space.load(at: address(2) + 8, as: UInt64.self) == 0)
        }
      }
    }
  }
#endif
