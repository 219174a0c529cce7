#if DEBUG
  import TestSupport
  import Testing
  import UserPages

  extension TortureTests {
    /// Range pins by a list look once. Frozen between the entries and the list's length, they must be waited for.
    @Suite struct FrozenRangePins {
      @Test func unmapWaitsAndTheFramesStay() throws {
        try play(frames: 4) { freezer, machine in
          let space = AddressSpace(machine.memory, engine: .slot)
          let other = AddressSpace(machine.memory, engine: .slot)
          try space.map(at: 0x5000, pages: 2, protection: .readWrite)
          try other.map(at: 0x5000, pages: 4, protection: .readWrite)
          for page in 0..<2 { try space.store(UInt64(7 + page), at: 0x5000 + page * Page.size) }
          let flags = Board(2)
          let reader = freezer.start("range pin", freezeAt: .rangePinBetweenEntriesAndLength) {
            let pins = try space.pin(at: 0x5000, pages: 2, .write)
            freezer.expect(pins.listedCount == 2, "the pages are not in a list")
            flags[0] = 1
            while flags[1] == 0 {}
            for page in 0..<2 {
              let seen = pins.deviceBytes(at: page).load(as: UInt64.self)
              freezer.expect(seen == UInt64(7 + page), "a frame was taken away from its pin")
            }
            pins.release()
          }
          #expect(reader.waitUntilFrozen())
          let unmapper = freezer.start("unmap") { try space.unmap(at: 0x5000, pages: 2) }
          #expect(unmapper.waitUntilPast(.unmapBetweenClearAndFree))
          #expect(!unmapper.mayFinish(), "unmap did not wait for a list that it cannot see yet")
          reader.thaw()
          try unmapper.join()
          while flags[0] == 0 {}
          for page in 0..<2 { try other.store(UInt64(1), at: 0x5000 + page * Page.size) }
          #expect(throws: PageError.outOfMemory) { try other.store(UInt64(1), at: 0x5000 + 2 * Page.size) }
          flags[1] = 1
          try reader.join()
          for page in 0..<4 { try other.store(UInt64(1), at: 0x5000 + page * Page.size) }
        }
      }

      /// The device's store after a fork is the parent's alone.
      @Test func aForkWaitsAndCopies() throws {
        try play { freezer, machine in
          let space = try machine.space(engine: .slot, holding: 7)
          let children = Children()
          let forked = Board(1)
          let reader = freezer.start("range pin", freezeAt: .rangePinBetweenEntriesAndLength) {
            let pins = try space.pin(at: 0x5000, pages: 1, .write)
            freezer.expect(pins.listedCount == 1, "the page is not in a list")
            while forked[0] == 0 {}
            pins.deviceBytes(at: 0).store(UInt64(8))
            freezer.expect(try space.load(at: 0x5000, as: UInt64.self) == 8, "the parent lost its pinned page")
            pins.release()
          }
          #expect(reader.waitUntilFrozen())
          let forker = freezer.start("fork") {
            children.add(try space.fork())
            forked[0] = 1
          }
          #expect(forker.waitUntilPast(.forkBetweenProtectAndCopy))
          #expect(!forker.mayFinish(), "the fork did not wait for a list that it cannot see yet")
          reader.thaw()
          try forker.join()
          try reader.join()
          children.forEach { child in
            #expect((try? child.load(at: 0x5000, as: UInt64.self)) == 7, "the child sees the device's store")
          }
          children.removeAll()
        }
      }

      /// The first pin of a page by a list has found the mark, and the page is unmapped before it has cleared it.
      @Test func aFirstPinWhoseEntryChangedHoldsNothing() throws {
        try play { freezer, machine in
          let space = try machine.space(engine: .slot, holding: 7)
          let reader = freezer.start("range pin", freezeAt: .slotPinBetweenEntryAndMark) {
            let pins = try space.pin(at: 0x5000, pages: 1, [.write, .fastOnly])
            freezer.expect(pins.isEmpty, "a page that is gone was pinned")
          }
          #expect(reader.waitUntilFrozen())
          try space.unmap(at: 0x5000, pages: 1)
          reader.thaw()
          try reader.join()
        }
      }
    }
  }
#endif
