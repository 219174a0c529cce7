import TestSupport
import Testing

@testable import UserPages

/// Stripes of a space, as one thread sees them: what lies in one, and what reaches beyond.
@Suite struct StripeTests {
  private static let size = Int(Stripe.size)
  /// Where the second stripe begins.
  private let edge = VirtualAddress(Stripe.size)

  /// The page so many pages before that.
  private func before(_ pages: Int) -> VirtualAddress { edge + -pages * Page.size }

  @Test func whatEndsWithItsStripeIsWide() {
    #expect(Stripe.isNarrow(before(2)..<before(1)))
    #expect(!Stripe.isNarrow(before(1)..<edge))
    #expect(!Stripe.isNarrow(before(1)..<edge + Page.size))
    #expect(Stripe.isNarrow(edge..<edge + Page.size))
    #expect(Stripe.range(of: edge + 5) == edge..<edge + Self.size)
  }

  @Test func neighboursHaveDifferentSlots() {
    let slots = Set((0..<Stripe.slots).map { Stripe.slot(of: VirtualAddress(0) + $0 * Self.size) })
    #expect(slots.count == Stripe.slots)
    #expect(Stripe.slot(of: 0) != Stripe.slot(of: VirtualAddress(0) + Stripe.slots * Self.size))
  }

  /// Neighbours in two stripes become one mapping, in either order, and part again.
  @Test(arguments: Engines.all, [false, true])
  func neighboursJoinAcrossAnEdge(engine: PinEngine, isLeftFirst: Bool) throws {
    let machine = try Machine(frames: 64)
    do {
      let space = AddressSpace(machine.memory, engine: engine)
      for start in isLeftFirst ? [before(2), edge] : [edge, before(2)] {
        try space.map(at: start, pages: 2, protection: .readWrite)
      }
      let whole = before(2)..<edge + 2 * Page.size
      #expect(space.mapping(at: edge)?.range == whole)
      for page in 0..<4 { try space.store(UInt64(page), at: whole.lowerBound + page * Page.size) }
      // The part that is left is narrow, and was wide.
      try space.unmap(at: before(2), pages: 3)
      #expect(space.mapping(at: edge) == nil)
      #expect(space.mapping(at: edge + Page.size)?.range == edge + Page.size..<edge + 2 * Page.size)
      #expect(try space.load(at: edge + Page.size, as: UInt64.self) == 3)
      // A hole between them keeps them apart. Filled, it makes them one.
      try space.map(at: before(1), pages: 1, protection: .readWrite)
      #expect(space.mapping(at: before(1))?.range == before(1)..<edge)
      try space.map(at: edge, pages: 1, protection: .readWrite)
      #expect(space.mapping(at: edge)?.range == before(1)..<edge + 2 * Page.size)
      #expect(try space.load(at: edge + Page.size, as: UInt64.self) == 3)
      #expect(try space.load(at: edge, as: UInt64.self) == 0)
    }
    #expect(machine.leaks() == [])
  }

  /// An unmap in one stripe keeps the nodes that lead to another one.
  @Test(arguments: Engines.all)
  func anUnmapLeavesOtherStripesNodes(engine: PinEngine) throws {
    let machine = try Machine(frames: 64)
    do {
      let space = AddressSpace(machine.memory, engine: engine)
      for turn in 1...3 {
        for stripe in 0..<4 {
          let page = edge + stripe * Self.size
          try space.map(at: page, pages: 1, protection: .readWrite)
          try space.store(UInt64(turn), at: page)
        }
        for stripe in 0..<3 {
          try space.unmap(at: edge + stripe * Self.size, pages: 1)
          let value = try space.load(at: edge + 3 * Self.size, as: UInt64.self)
          #expect(value == UInt64(turn), "a page of another stripe shows \(value)")
        }
      }
      space.exit()
      machine.memory.flushDeferredFrees()
      #expect(machine.memory.census().tableNodes == 1)
    }
    #expect(machine.leaks() == [])
  }

  /// A program that maps and unmaps in a stripe that is empty otherwise makes the stripe's node once. One stripe of
  /// those that share a slot keeps it.
  @Test(arguments: Engines.lockless)
  func oneVacantStripeOfASlotKeepsItsNode(engine: PinEngine) throws {
    let machine = try Machine(frames: 64)
    do {
      let space = AddressSpace(machine.memory, engine: engine)
      func nodes(afterUseOf stripe: Int) throws -> Int {
        let page = VirtualAddress(0) + stripe * Self.size + Page.size
        try space.map(at: page, pages: 1, protection: .readWrite)
        try space.store(UInt64(1), at: page)
        try space.unmap(at: page, pages: 1)
        machine.memory.flushDeferredFrees()
        return machine.memory.census().tableNodes
      }
      let slot = Stripe.slot(of: edge)
      let sameSlot = (2..<500).filter { Stripe.slot(of: VirtualAddress(0) + $0 * Self.size) == slot }
      #expect(sameSlot.count > 3)
      // The root, the node of 512 stripes, the stripe's.
      for stripe in [1] + sameSlot + [1] { #expect(try nodes(afterUseOf: stripe) == 3) }
      for stripe in 1..<500 { _ = try nodes(afterUseOf: stripe) }
      #expect(machine.memory.census().tableNodes == 2 + Stripe.slots)
      space.exit()
      machine.memory.flushDeferredFrees()
      #expect(machine.memory.census().tableNodes == 1)
    }
    #expect(machine.leaks() == [])
  }

  /// A fork, and the reverse map, find the mappings of all stripes, in order.
  @Test(arguments: Engines.all)
  func everythingIsFound(engine: PinEngine) throws {
    let machine = try Machine(frames: 256)
    do {
      let space = AddressSpace(machine.memory, engine: engine)
      let file = try PageCacheFile(machine.memory, pages: 1)
      // More stripes than slots, from above to below, and a wide mapping among them.
      for stripe in (0..<80).reversed() {
        try space.map(
          at: edge + stripe * Self.size, pages: 1, protection: .readWrite, sharing: .shared, backing: .file(file))
      }
      try space.map(at: edge + (80 * Self.size - Page.size), pages: 2, protection: .readWrite)
      for stripe in 0...80 { try space.store(UInt64(stripe), at: edge + stripe * Self.size) }
      let child = try space.fork()
      try child.store(UInt64(1234), at: edge + 80 * Self.size)
      for stripe in 0..<80 { #expect(try child.load(at: edge + stripe * Self.size, as: UInt64.self) == 79) }
      #expect(try space.load(at: edge + 80 * Self.size, as: UInt64.self) == 80)
      child.exit()
      // Of each stripe some: one operation over all.
      try space.unmap(at: edge + Page.size, pages: 79 * Self.size / Page.size)
      #expect(space.mapping(at: edge) != nil)
      for stripe in 1..<80 { #expect(space.mapping(at: edge + stripe * Self.size) == nil) }
      space.exit()
      file.drop()
    }
    #expect(machine.leaks() == [])
  }
}
