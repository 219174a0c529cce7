#if DEBUG
  import TestSupport
  import Testing
  import UserPages

  /// Pages of a memory file that come back from the swap file.
  extension TortureTests.FrozenFileSwaps {
    /// Two faults read the page. The second finds the first one's.
    @Test(arguments: Engines.lockless)
    func twoFaults(engine: PinEngine) throws {
      try withPage(engine) { [address] freezer, machine, space, file in
        try pageOut(space)
        machine.memory.flushDeferredFrees()
        let load = freezer.start("load", freezeAt: .swapInBetweenReadAndMap) {
          freezer.expect(try space.load(at: address, as: UInt64.self) == 8, "a fault brought an old page back")
        }
        #expect(load.waitUntilFrozen())
        try space.store(UInt64(8), at: address)
        load.thaw()
        try load.join()
        #expect(try file.read(at: 0, count: 1) == [8])
        machine.memory.flushDeferredFrees()
        #expect(machine.memory.census().swapSlots == 0)
      }
    }

    /// The page comes back by another fault, changes, and goes out again, while the first fault has what it read.
    @Test func backAndOutAgain() throws {
      try withPage { [address] freezer, machine, space, _ in
        try pageOut(space)
        machine.memory.flushDeferredFrees()
        let load = freezer.start("load", freezeAt: .swapInBetweenReadAndMap) {
          freezer.expect(try space.load(at: address, as: UInt64.self) == 8, "a fault brought an old page back")
        }
        #expect(load.waitUntilFrozen())
        try space.store(UInt64(8), at: address)
        try pageOut(space)
        machine.memory.flushDeferredFrees()
        load.thaw()
        try load.join()
      }
    }

    /// A hole, or a cut, takes the page away while a fault reads it. The slot may not become another page's.
    @Test(arguments: [YieldPoint.swapInBetweenHoldAndRead, .swapInBetweenReadAndMap], [false, true])
    func aPageThatIsLost(place: YieldPoint, isHole: Bool) throws {
      try withPage { [address] freezer, machine, space, file in
        try pageOut(space)
        machine.memory.flushDeferredFrees()
        let load = freezer.start("load", freezeAt: place) {
          freezer.expect(try space.load(at: address, as: UInt64.self) == 0, "a fault brought a lost page back")
        }
        #expect(load.waitUntilFrozen())
        if isHole {
          try file.punchHole(0..<1)
        } else {
          try file.setByteCount(0)
          try file.setByteCount(2 * Page.size)
        }
        try file.write([5], at: Page.size)
        #expect(machine.memory.reclaim(pages: 1) == 1)
        #expect(machine.memory.census().swapSlots == 2, "a slot that is read became another page's")
        load.thaw()
        try load.join()
        #expect(try file.read(at: Page.size, count: 1) == [5])
      }
    }
  }
#endif
