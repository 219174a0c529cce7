#if DEBUG
  import TestSupport
  import Testing
  import UserPages

  extension TortureTests {
    /// Page-outs that are overtaken: their pages come back, go out again, or are thrown away before they are over.
    @Suite struct FrozenPutBacks {
      private let address: VirtualAddress = 0x5000

      private func withPage(
        _ engine: PinEngine = .reference, frames: Int = 64, swapPages: Int = 16,
        sourceLocation: SourceLocation = #_sourceLocation, _ body: (Freezer, Machine, AddressSpace) throws -> Void
      ) throws {
        try play(frames: frames, swapPages: swapPages, sourceLocation: sourceLocation) { freezer, machine in
          let space = AddressSpace(machine.memory, engine: engine)
          try space.map(at: address, pages: 1, protection: .readWrite)
          try space.store(UInt64(7), at: address)
          try body(freezer, machine, space)
          space.exit()
        }
      }

      /// The page stays because a slot has pinned it. Before it is put back a store takes it back, and a second
      /// page-out takes it out again, into another slot of the file.
      @Test func aPageThatWentOutAgain() throws {
        try withPage(.slot) { [address] freezer, machine, space in
          let pin = try space.pin(at: address, .write)
          let first = freezer.start("page out", freezeAt: .pageOutBetweenLookAndPutBack) {
            try space.advise(at: address, pages: 1, .pageOut)
          }
          #expect(first.waitUntilFrozen())
          try space.store(UInt64(8), at: address)
          let second = freezer.start("page out again", freezeAt: .pageOutBetweenEntriesAndGrace) {
            try space.advise(at: address, pages: 1, .pageOut)
          }
          #expect(second.waitUntilFrozen())
          #expect(machine.memory.census().swapSlots == 2)
          first.thaw()
          try first.join()
          second.thaw()
          try second.join()
          #expect(pin.deviceBytes.load(as: UInt64.self) == 8)
          #expect(try space.load(at: address, as: UInt64.self) == 8)
          pin.release()
        }
      }

      /// The program throws the page away while a slot still holds its frame, and the page-out has the last reference.
      @Test func aPageThatIsThrownAwayUnderASlotPin() throws {
        try withPage(.slot, frames: 4) { [address] freezer, machine, space in
          let pin = try space.pin(at: address, .write)
          let out = freezer.start("page out", freezeAt: .pageOutBetweenGraceAndLook) {
            try space.advise(at: address, pages: 1, .pageOut)
          }
          #expect(out.waitUntilFrozen())
          try space.advise(at: address, pages: 1, .dontNeed)
          out.thaw()
          try out.join()
          machine.memory.flushDeferredFrees()
          #expect(machine.memory.freePages == 3, "a frame was freed under a pin")
          #expect(pin.deviceBytes.load(as: UInt64.self) == 7)
          pin.release()
          machine.memory.flushDeferredFrees()
          #expect(machine.memory.freePages == 4)
        }
      }

      /// A page-out has looked at the entry, and finds it changed when it comes to replace it.
      @Test(arguments: [Overtaking.pageOut, .dontNeed, .dontNeedAndStore])
      func anEntryThatChangedIsNotReplaced(overtaking: Overtaking) throws {
        try withPage { [address] freezer, machine, space in
          let late = freezer.start("page out", freezeAt: .pageOutBetweenEntryAndReplacement) {
            try space.advise(at: address, pages: 1, .pageOut)
          }
          #expect(late.waitUntilFrozen())
          // It waits for a grace period, and so for the late one's section.
          let other = freezer.start("\(overtaking)") {
            let advice: Advice = overtaking == .pageOut ? .pageOut : .dontNeed
            try space.advise(at: address, pages: 1, advice)
          }
          while space.entry(at: address).kind == .normal { _ = other.mayFinish() }
          if overtaking == .dontNeedAndStore { try space.store(UInt64(9), at: address) }
          late.thaw()
          try late.join()
          try other.join()
          machine.memory.flushDeferredFrees()
          let expected: UInt64 = [.pageOut: 7, .dontNeed: 0, .dontNeedAndStore: 9][overtaking]!
          #expect(try space.load(at: address, as: UInt64.self) == expected)
        }
      }

      enum Overtaking { case pageOut, dontNeed, dontNeedAndStore }

      /// A page is taken back while it is written, and shared with a child. It goes out again under a get. The writer
      /// may not let the frame go: the page-out leaves it in the cache.
      @Test func aFrameThatIsUsedAgainWhileItIsWritten() throws {
        try withPage { [address] freezer, machine, space in
          let writer = freezer.freezeThread(of: machine.memory, at: .swapWriteBetweenCopyAndFile)
          try space.advise(at: address, pages: 1, .pageOut)
          #expect(writer.waitUntilFrozen())
          let child = try space.fork()
          #expect(try space.load(at: address, as: UInt64.self) == 7)
          let get = try space.get(at: address)
          let out = freezer.start("page out", freezeAt: .pageOutBetweenGraceAndLook) {
            try space.advise(at: address, pages: 1, .pageOut)
          }
          #expect(out.waitUntilFrozen())
          writer.thaw()
          machine.memory.flushDeferredFrees()
          out.thaw()
          try out.join()
          #expect(get.deviceBytes.load(as: UInt64.self) == 7)
          for space in [space, child] { #expect(try space.load(at: address, as: UInt64.self) == 7) }
          #expect(
            space.frameInformation(at: address) == child.frameInformation(at: address),
            "parent and child see two frames")
          let again = try space.get(at: address)
          #expect(again.pfn == get.pfn, "the program and the holder see two frames")
          again.release()
          get.release()
          child.exit()
        }
      }
    }
  }
#endif
