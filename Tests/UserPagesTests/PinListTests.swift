import CPlatform
import TestSupport
import Testing

@testable import UserPages

/// Range pins of the slot engine: the list that is returned is what scans read.
@Suite struct PinListTests {
  private static let start: VirtualAddress = 0x7000_0000 + -5 * Page.size

  /// A space with `pages` pages, of which each shows its index, across the border of two nodes.
  private func withPages(
    _ pages: Int, engine: PinEngine = .slot, _ body: (Machine, AddressSpace) throws -> Void
  ) throws {
    let machine = try Machine(frames: pages + 64)
    do {
      let space = AddressSpace(machine.memory, engine: engine)
      try space.map(at: Self.start, pages: pages, protection: .readWrite)
      for page in 0..<pages { try space.store(UInt64(page), at: Self.start + page * Page.size) }
      try body(machine, space)
    }
    #expect(machine.leaks() == [])
  }

  private func expectOrder(_ pins: borrowing PinnedPages) {
    let seen = pins.indices.map { pins.deviceBytes(at: $0).load(as: UInt64.self) }
    #expect(seen == pins.indices.map { UInt64($0) })
  }

  /// Up to three chunks, and the lengths beside their borders.
  @Test(arguments: [1, 5, 6, 509, 510, 511, 1020, 1021, 1200], [PinOptions.write, [], .get])
  func aListHoldsAllPages(pages: Int, options: PinOptions) throws {
    try withPages(pages) { machine, space in
      for _ in 0..<2 {
        let pins = try space.pin(at: Self.start, pages: pages, options)
        #expect(pins.count == pages && pins.listedCount == pages)
        expectOrder(pins)
        #expect(machine.memory.census().pins == pages)
        let middle = try #require(space.frameInformation(at: Self.start + pages / 2 * Page.size))
        // The entry's reference alone: the list adds to no count.
        #expect(middle.referenceCount == 1)
        #expect(middle.pinCount == (options.contains(.get) ? 0 : 1))
        pins.release()
        #expect(machine.memory.census().pins == 0)
      }
    }
  }

  @Test func ioVectorsCoverAListAndWhatFollows() throws {
    try withPages(600) { _, space in
      let pins = try space.pin(at: Self.start, pages: 600)
      let bytes = pins.withUnsafeIOVectors { $0.reduce(0) { $0 + $1.iov_len } }
      #expect(bytes == 600 * Page.size)
      let first = pins.withUnsafeIOVectors { $0[0].iov_base.loadUnaligned(as: UInt64.self) }
      #expect(first == 0)
    }
  }

  @Test(arguments: [PinEngine.locked, .reference])
  func otherEnginesHaveNoLists(engine: PinEngine) throws {
    try withPages(8, engine: engine) { _, space throws in
      #expect(try space.pin(at: Self.start, pages: 8).listedCount == 0)
    }
  }

  @Test func longTermPinsAreReferences() throws {
    try withPages(8) { _, space in
      let pins = try space.pin(at: Self.start, pages: 8, [.write, .longTerm])
      #expect(pins.count == 8 && pins.listedCount == 0)
      #expect(space.frameInformation(at: Self.start)?.referenceCount == 2)
    }
  }

  /// The list ends before the first page that needs a fault. What follows is held by references.
  @Test func aPageThatIsNotThereEndsTheList() throws {
    try withPages(32) { machine, space in
      try space.advise(at: Self.start + 12 * Page.size, pages: 1, .dontNeed)
      let pins = try space.pin(at: Self.start, pages: 32, .write)
      #expect(pins.count == 32 && pins.listedCount == 12)
      #expect(pins.deviceBytes(at: 11).load(as: UInt64.self) == 11)
      #expect(pins.deviceBytes(at: 12).load(as: UInt64.self) == 0)
      #expect(pins.deviceBytes(at: 31).load(as: UInt64.self) == 31)
      pins.release(dirty: true)
      #expect(machine.memory.census().pins == 0)
    }
  }

  @Test func noListIsTakenForAPageThatIsNotThere() throws {
    try withPages(1) { _, space throws in
      for _ in 0..<100 {
        #expect(throws: PageError.badAddress) { try space.pin(at: 0x1000, pages: 4).release() }
        #expect(try space.pin(at: 0x1000, pages: 4, .fastOnly).count == 0)
      }
      #expect(try space.pin(at: Self.start, pages: 1).listedCount == 1)
    }
  }

  /// A thread has fifteen slots for lists. Where they are taken, references hold the pages.
  @Test func moreRangesThanSlots() throws {
    try withPages(8) { machine, space in
      var held: [Holder] = []
      for _ in 0..<Int(cp_slots_per_thread) + 8 { held.append(Holder(try space.pin(at: Self.start, pages: 8, .write))) }
      let listed = held.filter { $0.pins.listedCount == 8 }.count
      #expect(listed == Int(cp_slots_per_thread) - 1)
      #expect(machine.memory.census().pins == 8 * held.count)
      #expect(space.frameInformation(at: Self.start)?.pinCount == held.count)
      // A single pin has the first slot.
      let single = try space.pin(at: Self.start)
      #expect(space.frameInformation(at: Self.start)?.referenceCount == 1 + held.count - listed)
      single.release()
      held = []
      #expect(try space.pin(at: Self.start, pages: 8).listedCount == 8)
    }
  }

  private final class Holder {
    let pins: PinnedPages
    init(_ pins: consuming PinnedPages) { self.pins = pins }
  }

  /// The frames of a released list wait for its release, wherever that happens, and no longer.
  @Test func aListOutlivesItsMapping() throws {
    let machine = try Machine(frames: 16)
    do {
      let space = AddressSpace(machine.memory, engine: .slot)
      try space.map(at: Self.start, pages: 12, protection: .readWrite)
      try space.advise(at: Self.start, pages: 12, .populateWrite)
      let pins = try space.pin(at: Self.start, pages: 12, .write)
      try space.unmap(at: Self.start, pages: 12)
      machine.memory.flushDeferredFrees()
      try space.map(at: Self.start, pages: 12, protection: .readWrite)
      for page in 0..<4 { try space.store(UInt64(1), at: Self.start + page * Page.size) }
      #expect(throws: PageError.outOfMemory) { try space.store(UInt64(1), at: Self.start + 4 * Page.size) }
      pins.release()
      for page in 0..<12 { try space.store(UInt64(1), at: Self.start + page * Page.size) }
    }
    #expect(machine.leaks() == [])
  }

  @Test func aForkCopiesWhatAListPins() throws {
    try withPages(8) { machine, space in
      let pins = try space.pin(at: Self.start, pages: 8, .write)
      let gets = try space.get(at: Self.start, pages: 8)
      let child = try space.fork()
      for page in 0..<8 {
        pins.deviceBytes(at: page).store(UInt64(100 + page))
        #expect(try space.load(at: Self.start + page * Page.size, as: UInt64.self) == UInt64(100 + page))
        #expect(try child.load(at: Self.start + page * Page.size, as: UInt64.self) == UInt64(page))
      }
      gets.release()
      pins.release()
      child.exit()
    }
  }

  @Test func pageOutLeavesWhatAListHolds() throws {
    let machine = try Machine(frames: 64, swapPages: 64)
    do {
      let space = AddressSpace(machine.memory, engine: .slot)
      try space.map(at: Self.start, pages: 8, protection: .readWrite)
      try space.advise(at: Self.start, pages: 8, .populateWrite)
      let pins = try space.pin(at: Self.start, pages: 4)
      try space.advise(at: Self.start, pages: 8, .pageOut)
      machine.memory.flushDeferredFrees()
      let kinds = (0..<8).map { space.entry(at: Self.start + $0 * Page.size).kind }
      #expect(kinds == Array(repeating: .normal, count: 4) + Array(repeating: .swap, count: 4))
      pins.release()
    }
    #expect(machine.leaks() == [])
  }
}
