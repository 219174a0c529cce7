#if DEBUG
  import TestSupport
  import Testing

  @testable import UserPages

  extension TortureTests {
    /// A mapping that replaces another one, stopped when the old one is gone and the new one is not there.
    @Suite struct FrozenReplacements {
      /// A first touch finds no mapping while another thread maps over the page. It believes that only under the mmap
      /// lock.
      @Test(arguments: Engines.lockless)
      func aHoleWhileAPageIsMappedOver(engine: PinEngine) throws {
        try play { freezer, machine in
          let space = try machine.space(engine: engine, holding: 7)
          let mapper = freezer.start("map over", freezeAt: .unmapBetweenClearAndFree) {
            try space.map(at: 0x5000, pages: 1, protection: .readWrite)
          }
          #expect(mapper.waitUntilFrozen())
          let loader = freezer.start("load") {
            freezer.expect(try space.load(at: 0x5000, as: UInt64.self) == 0, "the page that is gone was found")
          }
          #expect(!loader.mayFinish(), "a load ended while its page was being mapped over")
          mapper.thaw()
          try mapper.join()
          try loader.join()
          space.exit()
        }
      }

      /// Advice that populates a page has asked the old mapping, which permits it. The new one does not, and gives the
      /// answer.
      @Test(arguments: Engines.lockless)
      func aPopulatedPageThatIsMappedOver(engine: PinEngine) throws {
        try play { freezer, machine in
          let space = AddressSpace(machine.memory, engine: engine)
          try space.map(at: 0x5000, pages: 1, protection: .readWrite)
          let populator = freezer.start("populate", freezeAt: .faultBeforeWalk) {
            do throws(PageError) {
              try space.advise(at: 0x5000, pages: 1, .populateWrite)
              freezer.expect(false, "a page was populated that may not be written")
            } catch {
              freezer.expect(error == .invalidArgument, "populate: \(error)")
            }
          }
          #expect(populator.waitUntilFrozen())
          try space.map(at: 0x5000, pages: 1, protection: .read)
          populator.thaw()
          try populator.join()
          space.exit()
        }
      }

      /// `lock` wants to write the page, as its mapping permits. The new one permits only a load, and that will do.
      @Test(arguments: Engines.lockless)
      func aLockedPageThatIsProtected(engine: PinEngine) throws {
        try play { freezer, machine in
          let space = AddressSpace(machine.memory, engine: engine)
          try space.map(at: 0x5000, pages: 1, protection: .readWrite)
          let locker = freezer.start("lock", freezeAt: .faultBeforeWalk) { try space.lock(at: 0x5000, pages: 1) }
          #expect(locker.waitUntilFrozen())
          try space.protect(at: 0x5000, pages: 1, .read)
          locker.thaw()
          try locker.join()
          #expect(space.entry(at: 0x5000).kind == .zero)
          space.exit()
        }
      }
    }
  }
#endif
