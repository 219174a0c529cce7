#if DEBUG
  import TestSupport
  import Testing
  import UserPages

  extension TortureTests {
    /// Allocations that are frozen while they look for a free frame.
    @Suite struct FrozenAllocations {
      /// Memory that comes free, and that another thread takes each time, has not come to its end.
      @Test(arguments: [PinEngine.reference, .slot])
      func framesThatAnotherThreadTakes(engine: PinEngine) throws {
        let (frames, address) = (8, VirtualAddress(0x10000))
        try play(frames: frames) { freezer, machine in
          let space = AddressSpace(machine.memory, engine: engine)
          let other = AddressSpace(machine.memory, engine: engine)
          try space.map(at: address, pages: 1, protection: .readWrite)
          try other.map(at: address, pages: frames, protection: .readWrite)
          /// Touches all free frames, and gives them up: they wait for a grace period.
          func takeAll() throws {
            for page in 0..<frames { try other.store(UInt8(1), at: address + page * Page.size) }
            try other.advise(at: address, pages: frames, .dontNeed)
          }
          try takeAll()
          let store = freezer.start("store", freezeAt: .allocationBetweenDrainAndLook) {
            try space.store(UInt8(2), at: address)
          }
          for _ in 0..<40 {
            try #require(store.waitUntilFrozen(), "an allocation failed although memory came free")
            try takeAll()
            store.thaw(until: .allocationBetweenDrainAndLook)
          }
          try #require(store.waitUntilFrozen())
          store.thaw()
          try store.join()
          #expect(try space.load(at: address, as: UInt8.self) == 2)
          space.exit()
          other.exit()
        }
      }
    }
  }
#endif
