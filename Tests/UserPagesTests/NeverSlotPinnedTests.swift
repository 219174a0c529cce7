import TestSupport
import Testing

@testable import UserPages

/// Which entries say that no slot ever held their frame: those of a slot engine's own pages, until a slot may have.
@Suite struct NeverSlotPinnedTests {
  private static let address: VirtualAddress = 0x20_0000

  @Test(arguments: PinEngine.allCases)
  func ownPages(engine: PinEngine) throws {
    let memory = try PhysicalMemory(ramPages: 64)
    let space = try resident(memory, engine)
    #expect(isNeverSlotPinned(space) == (engine == .slot))
    // A page of zeroes is no space's own.
    try space.map(at: 0x40_0000, pages: 1, protection: .readWrite)
    #expect(try space.load(at: 0x40_0000, as: UInt8.self) == 0)
    #expect(!isNeverSlotPinned(space, 0x40_0000))
  }

  @Test(arguments: [PinOptions.write, [], .get, [.write, .get]])
  func pinsBySlots(options: PinOptions) throws {
    let memory = try PhysicalMemory(ramPages: 64)
    let space = try resident(memory, .slot)
    let before = space.counters
    try space.pin(at: Self.address, options).release()
    #expect(!isNeverSlotPinned(space))
    // The first pin is a fast one, in a slot, like every other.
    #expect(space.counters.fast == before.fast + 1 && space.counters.slow == before.slow)
    let pin = try space.pin(at: Self.address, options)
    #expect(memory.frames.frame(pin.pfn).references == 1)
    pin.release()
  }

  @Test func pinsByReferences() throws {
    // Seen in the counts, wherever the entry goes.
    let memory = try PhysicalMemory(ramPages: 64)
    let space = try resident(memory, .slot)
    try space.pin(at: Self.address, [.write, .longTerm]).release()
    try space.pin(at: Self.address, pages: 1, [.write, .longTerm]).release()
    #expect(isNeverSlotPinned(space))
    // A range is in a slot's list.
    try space.pin(at: Self.address, pages: 1, .write).release()
    #expect(!isNeverSlotPinned(space))
  }

  @Test func changesOfTheMapping() throws {
    let memory = try PhysicalMemory(ramPages: 64)
    let space = try resident(memory, .slot)
    try space.protect(at: Self.address, pages: 1, .none)
    try space.protect(at: Self.address, pages: 1, .readWrite)
    #expect(isNeverSlotPinned(space))
    try space.remap(at: Self.address, pages: 1, to: 0x60_0000, newPages: 1)
    #expect(isNeverSlotPinned(space, 0x60_0000))
    try space.pin(at: 0x60_0000, .write).release()
    try space.remap(at: 0x60_0000, pages: 1, to: Self.address, newPages: 1)
    #expect(!isNeverSlotPinned(space))
  }

  @Test func forksAndCopies() throws {
    let memory = try PhysicalMemory(ramPages: 64)
    let space = try resident(memory, .slot)
    let child = try space.fork()
    #expect(!isNeverSlotPinned(space) && !isNeverSlotPinned(child))
    // The child's copy is its own. The parent's page was shared, though it is not any more.
    try child.store(UInt8(2), at: Self.address)
    #expect(isNeverSlotPinned(child))
    memory.flushDeferredFrees()
    try space.store(UInt8(3), at: Self.address)
    #expect(!isNeverSlotPinned(space))
    child.exit()
  }

  #if DEBUG
    @Test func pagesThatComeBack() throws {
      let memory = try PhysicalMemory(ramPages: 64, swapFile: .temporary(pages: 16))
      let space = try resident(memory, .slot)
      let pfn = RCU.read { space.table.ptep(for: Self.address, $0)?.load().pfn }
      let frame = memory.frames.frame(try #require(pfn))
      #expect(isNeverSlotPinned(space))
      let freezer = Freezer()
      defer { freezer.remove() }
      let pageOut = freezer.start("page out", freezeAt: .pageOutBetweenGraceAndLook) {
        try space.advise(at: Self.address, pages: 1, .pageOut)
      }
      #expect(pageOut.waitUntilFrozen())
      // The pin of a reader that has not looked again: the page is seen to be held, and comes back. No slot was ever
      // used.
      #expect(frame.retain(Frame.oneReference + Frame.onePin))
      pageOut.thaw()
      try pageOut.join()
      #expect(space.entry(at: Self.address).kind == .normal)
      #expect(!isNeverSlotPinned(space))
      #expect(!frame.put(Frame.oneReference + Frame.onePin))
    }
  #endif

  @Test func pagesThatWereOut() throws {
    let memory = try PhysicalMemory(ramPages: 64, swapFile: .temporary(pages: 16))
    let space = try resident(memory, .slot)
    #expect(isNeverSlotPinned(space))
    try space.advise(at: Self.address, pages: 1, .pageOut)
    #expect(space.entry(at: Self.address).kind == .swap)
    #expect(try space.load(at: Self.address, as: UInt8.self) == 1)
    #expect(!isNeverSlotPinned(space))
  }

  private func resident(_ memory: PhysicalMemory, _ engine: PinEngine) throws -> AddressSpace {
    let space = AddressSpace(memory, engine: engine)
    try space.map(at: Self.address, pages: 1, protection: .readWrite)
    try space.store(UInt8(1), at: Self.address)
    return space
  }

  private func isNeverSlotPinned(_ space: AddressSpace, _ address: VirtualAddress = address) -> Bool {
    RCU.read { space.table.ptep(for: address, $0)?.load().isNeverSlotPinned ?? false }
  }
}
