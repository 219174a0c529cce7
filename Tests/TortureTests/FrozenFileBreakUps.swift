#if DEBUG
  import TestSupport
  import Testing
  import UserPages

  extension TortureTests {
    /// 2 MiB of a memory file that a page-out breaks up, with one side frozen in the middle.
    @Suite struct FrozenFileBreakUps {
      private let start: VirtualAddress = 0x4000_0000
      private let page = 300

      private var address: VirtualAddress { start + page * Page.size }

      /// 2 MiB that a space maps whole. A page in the middle has the word 7.
      private func withHugePage(
        _ engine: PinEngine = .reference, _ body: (Freezer, Machine, AddressSpace, PageCacheFile) throws -> Void
      ) throws {
        try play(frames: 3 * Page.pagesPerHuge, swapPages: 2 * Page.pagesPerHuge) { freezer, machine in
          let file = try PageCacheFile(machine.memory, pages: Page.pagesPerHuge)
          let space = AddressSpace(machine.memory, engine: engine)
          try space.map(
            at: start, pages: Page.pagesPerHuge, protection: .readWrite, sharing: .shared, backing: .file(file),
            hugePages: true)
          try space.store(UInt64(7), at: address)
          #expect(space.entry(at: address).kind == .huge)
          try body(freezer, machine, space, file)
          space.exit()
        }
      }

      private func pageOut(_ space: AddressSpace) throws {
        try space.advise(at: start, pages: Page.pagesPerHuge, .pageOut)
      }

      /// A pin that has read the entry of 2 MiB, and counts itself after it was emptied.
      @Test(arguments: [false, true])
      func aPinThatHasReadItsEntry(isGet: Bool) throws {
        try withHugePage { [address] freezer, machine, space, file in
          let reader = freezer.start("pin", freezeAt: .pinBetweenEntryAndReference) {
            let pin = try space.pin(at: address, isGet ? [.get, .write] : .write)
            try space.store(UInt64(8), at: address)
            freezer.expect(pin.deviceBytes.load(as: UInt64.self) == 8, "pin and program see two pages")
            pin.release()
          }
          #expect(reader.waitUntilFrozen())
          let out = freezer.start("page out") { try pageOut(space) }
          #expect(out.waitUntilPast(.fileBreakUpBetweenEntriesAndGrace))
          #expect(!out.mayFinish(), "2 MiB were broken up under a reader")
          reader.thaw()
          try reader.join()
          try out.join()
          #expect(try space.load(at: address, as: UInt64.self) == 8)
        }
      }

      @Test func aPinBySlot() throws {
        try withHugePage(.slot) { [address] freezer, machine, space, file in
          let flags = Board(2)
          let reader = freezer.start("pin", freezeAt: .pinBetweenEntryAndReference) {
            let pin = try space.pin(at: address, .write)
            flags[0] = 1
            while flags[1] == 0 {}
            pin.deviceBytes.store(UInt64(9), toByteOffset: 8)
            freezer.expect(try space.load(at: address + 8, as: UInt64.self) == 9, "pin and program see two pages")
            pin.release()
          }
          #expect(reader.waitUntilFrozen())
          let out = freezer.start("page out") { try pageOut(space) }
          #expect(out.waitUntilPast(.fileBreakUpBetweenEntriesAndGrace))
          #expect(!out.mayFinish(), "2 MiB were broken up under a pin that cannot be seen yet")
          reader.thaw()
          while flags[0] == 0 {}
          try out.join()
          #expect(file.cachedPages == Page.pagesPerHuge, "a frame went under its pin")
          flags[1] = 1
          try reader.join()
        }
      }

      @Test(arguments: Engines.lockless)
      func aStoreThatHasReadItsEntry(engine: PinEngine) throws {
        try withHugePage(engine) { [address] freezer, machine, space, file in
          let writer = freezer.startStoring(space, at: address)
          let out = freezer.start("page out") { try pageOut(space) }
          #expect(out.waitUntilPast(.fileBreakUpBetweenEntriesAndGrace))
          #expect(!out.mayFinish(), "the page went out under a store")
          writer.thaw()
          try writer.join()
          try out.join()
          machine.memory.flushDeferredFrees()
          #expect(file.cachedPages == 0)
          #expect(try space.load(at: address, as: UInt64.self) == 8)
        }
      }

      /// The references are at an end, and no part has one: a look-up waits.
      @Test func aLookUpMeanwhile() throws {
        try withHugePage { [address, page] freezer, machine, space, file in
          let out = freezer.start("page out", freezeAt: .breakUpBetweenEndAndParts) { try pageOut(space) }
          #expect(out.waitUntilFrozen())
          let reader = freezer.start("read") {
            freezer.expect(try file.read(at: page * Page.size, count: 1) == [7], "another page")
          }
          let program = freezer.start("load") {
            freezer.expect(try space.load(at: address, as: UInt64.self) == 7, "another page")
          }
          #expect(!reader.mayFinish() && !program.mayFinish(), "a look-up did not wait for the frame")
          out.thaw()
          try out.join()
          try reader.join()
          try program.join()
        }
      }

      /// A `write` that has its page's frame: the 2 MiB stay whole.
      @Test func aWriteThatHasItsPage() throws {
        try withHugePage { [address, page] freezer, machine, space, file in
          let writer = freezer.start("write", freezeAt: .cacheBetweenPageAndCopy) {
            try file.write([8], at: page * Page.size)
          }
          #expect(writer.waitUntilFrozen())
          try pageOut(space)
          #expect(file.cachedPages == Page.pagesPerHuge, "a frame went under a write")
          writer.thaw()
          try writer.join()
          #expect(try space.load(at: address, as: UInt64.self) == 8)
          try pageOut(space)
          machine.memory.flushDeferredFrees()
          #expect(try space.load(at: address, as: UInt64.self) == 8)
        }
      }

      /// A fault that has the 2 MiB from before: its answer holds them, and its entry shows them whole.
      @Test(arguments: Engines.lockless)
      func anAnswerFromBefore(engine: PinEngine) throws {
        try withHugePage(engine) { [start, address] freezer, machine, space, file in
          let other = AddressSpace(machine.memory, engine: engine)
          try other.map(
            at: start, pages: Page.pagesPerHuge, protection: .readWrite, sharing: .shared, backing: .file(file),
            hugePages: true)
          let load = freezer.start("load", freezeAt: .faultBeforeInstall) {
            freezer.expect(try other.load(at: address, as: UInt64.self) == 7, "another page")
          }
          #expect(load.waitUntilFrozen())
          try pageOut(space)
          #expect(file.cachedPages == Page.pagesPerHuge, "a frame went under a fault")
          load.thaw()
          try load.join()
          try other.store(UInt64(9), at: address)
          #expect(try space.load(at: address, as: UInt64.self) == 9)
          other.exit()
        }
      }
    }
  }
#endif
