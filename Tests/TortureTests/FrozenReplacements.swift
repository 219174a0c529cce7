#if DEBUG
  import TestSupport
  import Testing

  @testable import UserPages

  extension TortureTests {
    /// A mapping that replaces another one, stopped when the old one is gone and the new one is not there.
    @Suite struct FrozenReplacements {
      /// A first touch finds no mapping while another thread maps over the page. It believes that only under the mmap lock.
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
    }
  }
#endif
