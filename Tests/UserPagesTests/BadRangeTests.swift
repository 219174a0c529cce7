import TestSupport
import Testing
import UserPages

/// Ranges that no caller should ask for: an error by name, nothing changed, no trap.
@Suite struct BadRangeTests {
  private let memory: PhysicalMemory
  private let space: AddressSpace

  init() throws {
    memory = try PhysicalMemory(ramPages: 64)
    space = AddressSpace(memory)
    try space.map(at: 0x10000, pages: 4, protection: .readWrite)
    try space.store(UInt64(7), at: 0x10000)
  }

  /// Addresses at which nothing can be mapped: the last page, the hole between the halves, the upper half, the very
  /// end.
  static let beyond: [VirtualAddress] = [
    0x0000_7FFF_FFFF_F000, 0x0000_8000_0000_0000, 0x1234_5678_9ABC_D000, 0xFFFF_8000_0000_0000, 0xFFFF_FFFF_FFFF_F000,
  ]
  /// Lengths that cannot be: the last ones overflow when they are counted in bytes.
  static let badLengths = [0, -1, Int.min, Int.min / 4096]
  static let hugeLengths = [1 << 40, Int.max / 4096, Int.max / 4096 + 1, Int.max]

  @Test func unalignedRanges() {
    #expect(throws: PageError.invalidArgument) { try space.map(at: 0x10001, pages: 1, protection: .read) }
    #expect(throws: PageError.invalidArgument) { try space.unmap(at: 0x10001, pages: 1) }
    #expect(throws: PageError.invalidArgument) { try space.protect(at: 0x10800, pages: 1, .read) }
    #expect(throws: PageError.invalidArgument) { try space.advise(at: 0x10001, pages: 1, .dontNeed) }
    #expect(throws: PageError.invalidArgument) { try space.remap(at: 0x10001, pages: 1, to: 0x20000, newPages: 1) }
    #expect(throws: PageError.invalidArgument) { try space.remap(at: 0x10000, pages: 1, to: 0x20001, newPages: 1) }
    nothingHappened()
  }

  @Test(arguments: badLengths)
  func lengthsThatAreNone(pages: Int) throws {
    #expect(throws: PageError.invalidArgument) { try space.map(at: 0x10000, pages: pages, protection: .read) }
    #expect(throws: PageError.invalidArgument) { try space.unmap(at: 0x10000, pages: pages) }
    #expect(throws: PageError.invalidArgument) { try space.remap(at: 0x10000, pages: 1, to: 0x20000, newPages: pages) }
    if pages == 0 {
      // As on Linux: nothing to do is no error.
      try space.protect(at: 0x10000, pages: 0, .none)
      try space.advise(at: 0x10000, pages: 0, .dontNeed)
      #expect(try space.pin(at: 0x10000, pages: 0).count == 0)
    } else {
      #expect(throws: PageError.invalidArgument) { try space.protect(at: 0x10000, pages: pages, .none) }
      #expect(throws: PageError.invalidArgument) { try space.advise(at: 0x10000, pages: pages, .dontNeed) }
      #expect(throws: PageError.invalidArgument) { try space.pin(at: 0x10000, pages: pages).release() }
      #expect(throws: PageError.invalidArgument) { try space.load(at: 0x10000, count: pages) }
    }
    nothingHappened()
  }

  @Test(arguments: hugeLengths)
  func lengthsBeyondTheAddressSpace(pages: Int) throws {
    #expect(throws: PageError.outOfMemory) { try space.map(at: 0x10000, pages: pages, protection: .read) }
    #expect(throws: PageError.invalidArgument) { try space.unmap(at: 0x10000, pages: pages) }
    // These treat what is mapped before they say that the rest is not: so with what changes nothing.
    #expect(throws: PageError.self) { try space.protect(at: 0x10000, pages: pages, .readWrite) }
    #expect(throws: PageError.self) { try space.advise(at: 0x10000, pages: pages, .populateRead) }
    #expect(throws: PageError.self) { try space.remap(at: 0x10000, pages: pages, to: 0x20000, newPages: 1) }
    #expect(throws: PageError.self) { try space.remap(at: 0x10000, pages: 1, to: 0x20000, newPages: pages) }
    #expect(throws: PageError.segmentationViolation) { try space.load(at: 0x10000, count: Int.max) }
    // A pin gives what there is: the mapped pages, or an error where the request cannot even be counted in bytes.
    if let pins = try space.pin(at: 0x10000, pages: pages, .write, orGiveUpOn: [.badAddress]) {
      #expect(pins.count == 4)
      pins.release()
    }
    nothingHappened()
  }

  @Test(arguments: beyond)
  func addressesBeyondTheAddressSpace(address: VirtualAddress) {
    #expect(throws: PageError.self) { try space.map(at: address, pages: 1, protection: .read) }
    #expect(throws: PageError.invalidArgument) { try space.unmap(at: address, pages: 1) }
    #expect(throws: PageError.self) { try space.protect(at: address, pages: 1, .read) }
    #expect(throws: PageError.self) { try space.advise(at: address, pages: 1, .dontNeed) }
    #expect(throws: PageError.self) { try space.remap(at: 0x10000, pages: 1, to: address, newPages: 1) }
    #expect(throws: PageError.self) { try space.remap(at: address, pages: 1, to: 0x20000, newPages: 1) }
    // A duplicate is asked for.
    #expect(throws: PageError.badAddress) { try space.remap(at: address, pages: 0, to: 0x20000, newPages: 1) }
    #expect(throws: PageError.segmentationViolation) { try space.load(at: address, as: UInt64.self) }
    #expect(throws: PageError.segmentationViolation) { try space.load(at: address, count: 8192) }
    #expect(throws: PageError.segmentationViolation) { try space.store(UInt64(1), at: address) }
    #expect(throws: PageError.segmentationViolation) { try space.store([1, 2, 3], at: address) }
    for options in [PinOptions.write, [], .longTerm, .force, .get] {
      #expect(throws: PageError.badAddress) { try space.pin(at: address, options).release() }
      #expect(throws: PageError.badAddress) { try space.pin(at: address, pages: 2, options).release() }
    }
    #expect(throws: PageError.tryAgain) { try space.pin(at: address, .fastOnly).release() }
    #expect(space.entry(at: address).description == "none")
    #expect(space.frameInformation(at: address) == nil)
    nothingHappened()
  }

  @Test func mappingsUpToTheLastPageWork() throws {
    let last = VirtualAddress(VirtualAddress.limit.rawValue - 4096)
    try space.map(at: last, pages: 1, protection: .readWrite)
    try space.store(UInt8(9), at: last + 4095)
    #expect(try space.load(at: last + 4095, as: UInt8.self) == 9)
    #expect(throws: PageError.segmentationViolation) { try space.load(at: last + 4095, count: 2) }
    #expect(throws: PageError.segmentationViolation) { try space.load(at: last + 4095, as: UInt16.self) }
    let pins = try space.pin(at: last, pages: 2, .write)
    #expect(pins.count == 1)
    pins.release()
    try space.map(at: 0, pages: 1, protection: .readWrite)
    try space.store(UInt8(8), at: 0)
    #expect(try space.load(at: 0, as: UInt8.self) == 8)
    try space.unmap(at: 0, pages: 1)
    nothingHappened()
  }

  @Test func overlappingMoves() throws {
    #expect(throws: PageError.invalidArgument) { try space.remap(at: 0x10000, pages: 2, to: 0x11000, newPages: 2) }
    #expect(throws: PageError.invalidArgument) { try space.remap(at: 0x11000, pages: 2, to: 0x10000, newPages: 2) }
    #expect(throws: PageError.invalidArgument) { try space.remap(at: 0x10000, pages: 1, to: 0xF000, newPages: 2) }
    nothingHappened()
  }

  @Test func accessesAcrossTheEndOfAMapping() throws {
    // What comes before the fault has happened.
    #expect(throws: PageError.segmentationViolation) {
      try space.store([UInt8](repeating: 5, count: 16), at: 0x13FF8)
    }
    #expect(try space.load(at: 0x13FF8, count: 8) == [UInt8](repeating: 5, count: 8))
    #expect(throws: PageError.segmentationViolation) { try space.load(at: 0x13FF8, count: 16) }
    #expect(try space.load(at: 0x13FFC, as: UInt32.self) == 0x0505_0505)
    // Unaligned words are no error, only not atomic.
    try space.store(UInt64(0x1122_3344_5566_7788), at: 0x10FFD)
    #expect(try space.load(at: 0x10FFD, as: UInt64.self) == 0x1122_3344_5566_7788)
    #expect(try space.load(at: 0x10FFD, count: 0) == [])
    nothingHappened()
  }

  private func nothingHappened() {
    #expect((try? space.load(at: 0x10000, as: UInt64.self)) == 7)
    #expect(throws: PageError.segmentationViolation) { try space.load(at: 0x14000, as: UInt8.self) }
    #expect(throws: PageError.segmentationViolation) { try space.load(at: 0xF000, as: UInt8.self) }
  }
}
