#if DEBUG
  import TestSupport
  import Testing

  @testable import UserPages

  extension TortureTests {
    /// Operations in stripes, operations on the whole space and look-ups, stopped between their steps.
    @Suite struct FrozenStripes {
      private static let edge = VirtualAddress(Stripe.size)
      private static let lastPage = edge + -Page.size
      /// Pages of two stripes.
      private let one = Self.edge + 0x5000
      private let other = Self.edge + Int(Stripe.size) + 0x5000

      /// A space with a page that begins with 7 in each of two stripes, which have their locks.
      private func makeSpace(_ machine: Machine, _ engine: PinEngine) throws -> AddressSpace {
        let space = AddressSpace(machine.memory, engine: engine)
        for page in [one, other] {
          for _ in 0..<2 { try space.map(at: page, pages: 1, protection: .readWrite) }
          try space.store(UInt64(7), at: page)
        }
        return space
      }

      @Test(arguments: Engines.lockless)
      func stripesDoNotMeet(engine: PinEngine) throws {
        try play { freezer, machine in
          let space = try makeSpace(machine, engine)
          let unmapper = freezer.start("unmap", freezeAt: .unmapBetweenClearAndFree) {
            try space.unmap(at: one, pages: 1)
          }
          #expect(unmapper.waitUntilFrozen())
          let mapper = freezer.start("map elsewhere") {
            try space.map(at: other, pages: 2, protection: .readWrite)
            try space.store(UInt64(8), at: other)
            try space.protect(at: other, pages: 1, .read)
            try space.unmap(at: other, pages: 1)
          }
          #expect(mapper.mayFinish(), "an operation waits for one in another stripe")
          unmapper.thaw()
          try unmapper.join()
          try mapper.join()
          space.exit()
        }
      }

      /// A fork that did not wait would copy an entry that the unmap is about to empty, or one that it has.
      @Test(arguments: Engines.lockless)
      func theWholeWaitsForAStripe(engine: PinEngine) throws {
        try play { freezer, machine in
          let space = try makeSpace(machine, engine)
          let unmapper = freezer.start("unmap", freezeAt: .unmapBetweenClearAndFree) {
            try space.unmap(at: one, pages: 1)
          }
          #expect(unmapper.waitUntilFrozen())
          let forker = freezer.start("fork") { try space.fork().exit() }
          #expect(!forker.mayFinish(), "a fork went past an operation in a stripe")
          unmapper.thaw()
          try unmapper.join()
          try forker.join()
          space.exit()
        }
      }

      /// The fork has been through all stripes. An operation that begins now finds its stripe unlocked.
      @Test(arguments: Engines.lockless)
      func aStripeWaitsForTheWhole(engine: PinEngine) throws {
        try play { freezer, machine in
          let space = try makeSpace(machine, engine)
          let forker = freezer.start("fork", freezeAt: .forkBetweenProtectAndCopy) { try space.fork().exit() }
          #expect(forker.waitUntilFrozen())
          let unmapper = freezer.start("unmap") { try space.unmap(at: one, pages: 1) }
          #expect(!unmapper.mayFinish(), "an unmap went past a fork")
          forker.thaw()
          try forker.join()
          try unmapper.join()
          #expect(space.mapping(at: one) == nil)
          #expect(try space.load(at: other, as: UInt64.self) == 7)
          space.exit()
        }
      }

      /// Two operations on the whole, of which each turns an operation in a stripe away, let it in afterwards.
      @Test func anOperationThatWasTurnedAwayGoesOn() throws {
        try play { freezer, machine in
          let space = try makeSpace(machine, .reference)
          let forker = freezer.start("fork", freezeAt: .wholeBetweenCountAndStripes) { try space.fork().exit() }
          #expect(forker.waitUntilFrozen())
          let unmapper = freezer.start("unmap") { try space.unmap(at: one, pages: 1) }
          #expect(!unmapper.mayFinish(), "an unmap went past a fork that has counted itself")
          forker.thaw()
          try forker.join()
          try unmapper.join()
          space.exit()
        }
      }

      /// A look-up has found nothing in its stripe's tree. Then the wide mapping that holds its address is cut: what is
      /// left is narrow. The address was mapped all the time.
      @Test func aMappingThatBecomesNarrow() throws {
        try play { freezer, machine in
          let space = AddressSpace(machine.memory)
          let start = Self.edge + -2 * Page.size
          try space.map(at: start, pages: 4, protection: .readWrite)
          let looker = freezer.start("look", freezeAt: .lookUpBetweenTrees) {
            let found = space.mapping(at: Self.edge + Page.size)
            freezer.expect(found != nil, "a mapped address was not found")
          }
          #expect(looker.waitUntilFrozen())
          try space.unmap(at: start, pages: 3)
          looker.thaw()
          try looker.join()
          space.exit()
        }
      }

      /// A word of the leaf is the new mapping's already, its key is the old one's still.
      @Test func anEditOfALeaf() throws {
        try play { freezer, machine in
          let space = AddressSpace(machine.memory)
          try space.map(at: one, pages: 1, protection: .readWrite)
          let mapper = freezer.start("map", freezeAt: .leafBetweenWordAndKey) {
            try space.map(at: one + -2 * Page.size, pages: 1, protection: .readWrite)
          }
          #expect(mapper.waitUntilFrozen())
          let looker = freezer.start("look") {
            let found = space.mapping(at: one)
            freezer.expect(found?.range.lowerBound == one, "found \(String(describing: found))")
          }
          #expect(!looker.mayFinish(), "a look-up believed a leaf that was being edited")
          mapper.thaw()
          try mapper.join()
          try looker.join()
          space.exit()
        }
      }

      /// The narrow mapping has left its tree, and the wide one that holds its address is not published.
      @Test func aMappingThatBecomesWide() throws {
        try play { freezer, machine in
          let space = AddressSpace(machine.memory)
          try space.map(at: Self.edge, pages: 1, protection: .readWrite)
          let mapper = freezer.start("map", freezeAt: .publicationBetweenTrees) {
            try space.map(at: Self.lastPage, pages: 1, protection: .readWrite)
          }
          #expect(mapper.waitUntilFrozen())
          let looker = freezer.start("look") {
            let found = space.mapping(at: Self.edge)
            let whole = Self.lastPage..<Self.edge + Page.size
            freezer.expect(found?.range == whole, "found \(String(describing: found))")
          }
          #expect(!looker.mayFinish(), "a look-up believed a hole between two trees")
          mapper.thaw()
          try mapper.join()
          try looker.join()
          space.exit()
        }
      }
    }
  }
#endif
