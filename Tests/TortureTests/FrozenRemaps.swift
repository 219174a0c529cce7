#if DEBUG
  import TestSupport
  import Testing

  @testable import UserPages

  extension TortureTests {
    /// Remaps that meet faults of mappings which are gone.
    @Suite struct FrozenRemaps {
      @Test(arguments: Engines.lockless)
      func aLateFaultHoldsTheEntryAtTheNewPlace(engine: PinEngine) throws {
        try play { freezer, machine in
          let space = try machine.space(engine: engine, holding: 7)
          // What a fault of a mapping that was at the new place does before it finds that mapping detached.
          let place = try #require(RCU.read { space.table.ptep(for: 0x9000, $0) })
          #expect(place.lock(.empty))
          let mover = freezer.start("remap") { try space.remap(at: 0x5000, pages: 1, to: 0x9000, newPages: 1) }
          #expect(!mover.mayFinish(), "remap did not wait for the fault")
          place.store(.empty)
          try mover.join()
          #expect(try space.load(at: 0x9000, as: UInt64.self) == 7)
          space.exit()
        }
      }

      /// A fault of the mapping that moves has its entry locked at the old place.
      @Test(arguments: Engines.lockless)
      func aFaultHoldsTheEntryAtTheOldPlace(engine: PinEngine) throws {
        try play { freezer, machine in
          let space = try machine.space(engine: engine, holding: 7)
          let place = try #require(RCU.read { space.table.ptep(for: 0x5000, $0) })
          let pte = place.load()
          #expect(place.lock(pte))
          let mover = freezer.start("remap") { try space.remap(at: 0x5000, pages: 1, to: 0x9000, newPages: 1) }
          #expect(!mover.mayFinish(), "remap did not wait for the fault")
          place.store(pte)
          try mover.join()
          #expect(space.entry(at: 0x5000).kind == .none)
          #expect(try space.load(at: 0x9000, as: UInt64.self) == 7)
          space.exit()
        }
      }
    }
  }
#endif
