#if DEBUG
  import TestSupport
  import Testing
  import UserPages

  extension TortureTests {
    /// Pins by a slot look once. Frozen between their look and their slot, they must be waited for. Afterwards they
    /// hold.
    @Suite struct FrozenSlotPins {
      /// An unmap of the page of a pin that is frozen before its slot.
      private func startUnmapThatWaits(_ freezer: Freezer, _ space: AddressSpace) -> StagedThread {
        let unmapper = freezer.start("unmap") { try space.unmap(at: 0x5000, pages: 1) }
        #expect(unmapper.waitUntilPast(.unmapBetweenClearAndFree))
        #expect(!unmapper.mayFinish(), "unmap did not wait for a pin that it cannot see yet")
        return unmapper
      }

      @Test func unmapWaitsAndTheFrameStays() throws {
        try play(frames: 4) { freezer, machine in
          let space = AddressSpace(machine.memory, engine: .slot)
          let other = AddressSpace(machine.memory, engine: .slot)
          try space.map(at: 0x5000, pages: 1, protection: .readWrite)
          try other.map(at: 0x5000, pages: 4, protection: .readWrite)
          try space.store(UInt64(7), at: 0x5000)
          let flags = Board(2)
          let reader = freezer.start("pin", freezeAt: .pinBetweenEntryAndReference) {
            let pin = try space.pin(at: 0x5000, .write)
            flags[0] = 1
            while flags[1] == 0 {}
            freezer.expect(pin.deviceBytes.load(as: UInt64.self) == 7, "the frame was taken away from its pin")
            pin.release()
          }
          #expect(reader.waitUntilFrozen())
          let unmapper = startUnmapThatWaits(freezer, space)
          reader.thaw()
          try unmapper.join()
          while flags[0] == 0 {}
          // The pin holds the fourth frame, by its slot alone.
          for page in 0..<3 { try other.store(UInt64(1), at: 0x5000 + page * Page.size) }
          #expect(throws: PageError.outOfMemory) { try other.store(UInt64(1), at: 0x5000 + 3 * Page.size) }
          flags[1] = 1
          try reader.join()
          try other.store(UInt64(1), at: 0x5000 + 3 * Page.size)
        }
      }

      /// A pin that goes on elsewhere where it would have to call: it has a section and a slot of its own.
      @Test func unmapWaitsForAPinAtOnce() throws {
        try play { freezer, machine in
          let space = try machine.space(engine: .slot, holding: 7)
          let flags = Board(1)
          try space.map(at: 0x9000, pages: 1, protection: .readWrite)
          // The first two ways through the point are those of the first pins of two pages.
          let reader = freezer.start("pin", freezeAt: .pinBetweenEntryAndReference, after: 2) {
            var bytes: FrameBytes?
            // A thread that was in a section and has slots: what follows is nil because of the mark alone.
            try space.pin(at: 0x9000, .write).release()
            freezer.expect(
              space.pinAtOnce(at: 0x5000, .write, &bytes) == nil && bytes == nil, "held with the mark in the entry")
            try space.pin(at: 0x5000, .write).release()
            guard let pin = space.pinAtOnce(at: 0x5000, .write, &bytes) else { return }
            flags[0] = 1
            freezer.expect(pin.deviceBytes.address == bytes?.address, "not the bytes of the page")
            freezer.expect(pin.deviceBytes.load(as: UInt64.self) == 7, "the frame was taken away from its pin")
            // The first slot is taken.
            freezer.expect(space.pinAtOnce(at: 0x5000, [], &bytes) == nil, "two pins in one slot")
            pin.release()
          }
          #expect(reader.waitUntilFrozen())
          let unmapper = startUnmapThatWaits(freezer, space)
          reader.thaw()
          try reader.join()
          try unmapper.join()
          #expect(flags[0] == 1)
        }
      }

      @Test func unmapDoesNotWaitWhereNoSlotCanHaveThePage() throws {
        try play { freezer, machine in
          let space = try machine.space(engine: .slot, holding: 7)
          let storer = freezer.start("store", freezeAt: .accessBetweenEntryAndBytes) {
            try space.store(UInt64(8), at: 0x5000)
          }
          #expect(storer.waitUntilFrozen())
          // Would not come back if it waited for the store.
          try space.unmap(at: 0x5000, pages: 1)
          storer.thaw()
          try storer.join()
        }
      }

      @Test(arguments: [PinOptions.write, [], .get])
      func unmapWaitsWhereASlotHadThePage(options: PinOptions) throws {
        try play { freezer, machine in
          let space = try machine.space(engine: .slot, holding: 7)
          let pin = try space.pin(at: 0x5000, options)
          let storer = freezer.start("store", freezeAt: .accessBetweenEntryAndBytes) {
            try space.store(UInt64(8), at: 0x5000)
          }
          #expect(storer.waitUntilFrozen())
          let unmapper = freezer.start("unmap") { try space.unmap(at: 0x5000, pages: 1) }
          #expect(unmapper.waitUntilPast(.unmapBetweenClearAndFree))
          #expect(!unmapper.mayFinish(), "unmap returned before a store into a pinned page had landed")
          storer.thaw()
          try storer.join()
          try unmapper.join()
          #expect(pin.deviceBytes.load(as: UInt64.self) == 8)
          pin.release()
        }
      }

      /// The first pin of a page by a slot has found the mark, and the page is unmapped before it has cleared it. That
      /// unmap need not wait.
      @Test(arguments: [PinOptions.write, [], .get])
      func aFirstPinOfAChangedEntryHoldsNothing(options: PinOptions) throws {
        try play { freezer, machine in
          let space = try machine.space(engine: .slot, holding: 7)
          let reader = freezer.start("pin", freezeAt: .slotPinBetweenEntryAndMark) {
            freezer.expect(.tryAgain) { () throws(PageError) in
              try space.pin(at: 0x5000, options.union(.fastOnly)).release()
            }
          }
          #expect(reader.waitUntilFrozen())
          try space.unmap(at: 0x5000, pages: 1)
          reader.thaw()
          try reader.join()
        }
      }

      @Test func forkWaitsAndCopies() throws {
        try play { freezer, machine in
          let space = try machine.space(engine: .slot, holding: 7)
          let children = Children()
          let flags = Board(1)
          let reader = freezer.start("pin", freezeAt: .pinBetweenEntryAndReference) {
            let pin = try space.pin(at: 0x5000, .write)
            while flags[0] == 0 {}
            pin.deviceBytes.store(UInt64(8))
            freezer.expect(try space.load(at: 0x5000, as: UInt64.self) == 8, "the pinned page left the parent")
            try space.store(UInt64(9), at: 0x5000)
            freezer.expect(pin.deviceBytes.load(as: UInt64.self) == 9, "the parent left the pinned page")
            pin.release()
          }
          #expect(reader.waitUntilFrozen())
          let forker = freezer.start("fork") {
            children.add(try space.fork())
            flags[0] = 1
          }
          #expect(forker.waitUntilPast(.forkBetweenProtectAndCopy))
          #expect(!forker.mayFinish(), "fork did not wait for a pin that it cannot see yet")
          reader.thaw()
          try forker.join()
          try reader.join()
          children.forEach { child in
            let seen = try? child.load(at: 0x5000, as: UInt64.self)
            #expect(seen == 7, "the child sees the device's store: \(String(describing: seen))")
          }
          children.removeAll()
        }
      }

      @Test func manyPinsOverflowIntoReferences() throws {
        // More pins than a thread has slots: all of them hold, and are counted, and go.
        try play { _, machine in
          let space = try machine.space(engine: .slot, holding: 7)
          try holdNested(space, depth: 40)
          #expect(space.frameInformation(at: 0x5000)?.pinCount == 0)
          #expect(space.counters.fast == 40)
        }
      }

      private func holdNested(_ space: AddressSpace, depth: Int) throws {
        if depth == 0 {
          #expect(space.frameInformation(at: 0x5000)?.pinCount == 40)
          return
        }
        let pin = try space.pin(at: 0x5000, .write)
        try holdNested(space, depth: depth - 1)
        #expect(pin.deviceBytes.load(as: UInt64.self) == 7)
        pin.release()
      }
    }
  }
#endif
