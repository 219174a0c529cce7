#if DEBUG
  import TestSupport
  import Testing

  @testable import UserPages

  extension TortureTests {
    /// Faults that bring in 2 MiB of a memory file, and accesses to them, that are frozen while the file is cut or
    /// punched.
    @Suite struct FrozenHugeMemoryFiles {
      private let start: VirtualAddress = 0x4000_0000

      private func address(_ page: Int) -> VirtualAddress { start + page * Page.size }

      private func withFrozenFile(
        _ engine: PinEngine = .reference, _ body: (Freezer, AddressSpace, PageCacheFile) throws -> Void
      ) throws {
        try play(frames: 3 * Page.pagesPerHuge) { freezer, machine in
          let file = try PageCacheFile(machine.memory, pages: Page.pagesPerHuge, fill: 9)
          let space = AddressSpace(machine.memory, engine: engine)
          try space.map(
            at: start, pages: Page.pagesPerHuge, protection: .readWrite, sharing: .shared, backing: .file(file),
            hugePages: true)
          try body(freezer, space, file)
          space.exit()
          file.drop()
        }
      }

      private func cut(_ file: PageCacheFile, isHole: Bool) throws {
        if isHole {
          try file.punchHole(300..<301)
        } else {
          try file.setByteCount(300 * Page.size)
          try file.setByteCount(Page.hugeSize)
        }
      }

      /// 2 MiB that were filled before the cut are not the file's after it.
      @Test(arguments: [false, true])
      func aFrameThatIsBeingFilled(isHole: Bool) throws {
        try withFrozenFile { [address, cut] freezer, space, file in
          let load = freezer.start("load", freezeAt: .cacheBetweenReadAndInstall) {
            freezer.expect(try space.load(at: address(300), count: 1) == [0], "the file's old contents")
          }
          #expect(load.waitUntilFrozen())
          try cut(file, isHole)
          load.thaw()
          try load.join()
          #expect(try file.read(at: 300 * Page.size, count: 1) == [0])
          #expect(try space.load(at: address(299), count: 1) == [9])
        }
      }

      /// A fault with 2 MiB from before the cut does not map them.
      @Test(arguments: Engines.lockless, [false, true])
      func anOldAnswer(engine: PinEngine, isHole: Bool) throws {
        try withFrozenFile(engine) { [address, cut] freezer, space, file in
          let load = freezer.start("load", freezeAt: .faultBeforeInstall) {
            freezer.expect(try space.load(at: address(299), count: 1) == [9], "another page")
          }
          #expect(load.waitUntilFrozen())
          let change = freezer.start("cut") { try cut(file, isHole) }
          #expect(change.waitUntilPast(.truncationBetweenUnmapAndGrace))
          load.thaw()
          try change.join()
          try load.join()
          #expect(space.entry(at: address(299)).kind != .huge)
          #expect(try space.load(at: address(300), count: 1) == [0], "a fault mapped what was cut off")
        }
      }

      /// A store to a part of 2 MiB is waited for by a cut of that part. The others stay where they are.
      @Test(arguments: Engines.lockless, [false, true])
      func aStoreToAPart(engine: PinEngine, isHole: Bool) throws {
        try withFrozenFile(engine) { [address, cut] freezer, space, file in
          try space.store(UInt64(5), at: address(300))
          #expect(space.entry(at: address(300)).kind == .huge)
          let store = freezer.start("store", freezeAt: .accessBetweenEntryAndBytes) {
            try space.store(UInt64(6), at: address(300))
          }
          #expect(store.waitUntilFrozen())
          let change = freezer.start("cut") { try cut(file, isHole) }
          #expect(change.waitUntilPast(.truncationBetweenUnmapAndGrace))
          #expect(!change.mayFinish(), "a cut returned while a store to it was under way")
          store.thaw()
          try store.join()
          try change.join()
          #expect(try space.load(at: address(300), as: UInt64.self) == 0)
          #expect(try space.load(at: address(299), count: 1) == [9])
        }
      }

      /// Between the end of the pages and the end of their entries: a pin of the 2 MiB keeps the orphan.
      @Test(arguments: Engines.lockless, [false, true])
      func aPinDuringTheCut(engine: PinEngine, isHole: Bool) throws {
        try withFrozenFile(engine) { [address, cut] freezer, space, file in
          try space.store(UInt64(5), at: address(300))
          let change = freezer.start("cut", freezeAt: .truncationBetweenDropAndUnmap) { try cut(file, isHole) }
          #expect(change.waitUntilFrozen())
          let pins = try space.pin(at: address(299), pages: 2, [.write, .fastOnly])
          #expect(pins.count == 2)
          change.thaw()
          try change.join()
          pins.deviceBytes(at: 1).store(UInt64(7))
          #expect(try space.load(at: address(300), as: UInt64.self) == 0, "the orphan is the file's again")
          try space.store(UInt64(8), at: address(300))
          #expect(pins.deviceBytes(at: 1).load(as: UInt64.self) == 7, "a pin lost its page")
          pins.deviceBytes(at: 0).store(UInt64(3))
          #expect(try space.load(at: address(299), as: UInt64.self) == 3, "a pin and the program see two pages")
          pins.release(dirty: true)
        }
      }
    }
  }
#endif
