import TestSupport
import Testing
import UserPages

/// Operations on ranges of addresses do what those on an address and a number of pages do.
@Suite struct AddressRangeTests {
  private func withSpace(_ body: (AddressSpace) throws -> Void) throws {
    let machine = try Machine(frames: 64)
    do {
      let space = AddressSpace(machine.memory)
      try body(space)
      space.exit()
    }
    #expect(machine.leaks() == [])
  }

  @Test func aMappingIsFoundProtectedPinnedAndUnmappedByItsRange() throws {
    try withSpace { space in
      try space.map(0x10000..<0x14000, protection: .readWrite)
      let range = try #require(space.mapping(at: 0x12345)).range
      #expect(range == 0x10000..<0x14000)
      try space.advise(range, .populateWrite)
      #expect(space.memory.freePages == 60)
      let pins = try space.pin(range, .write)
      #expect(pins.count == 4)
      for page in pins.indices { pins.deviceBytes(at: page).store(UInt64(page + 1)) }
      pins.release(dirty: true)
      let gets = try space.get(0x11000..<0x13000)
      #expect(gets.count == 2)
      #expect(gets.deviceBytes(at: 1).load(as: UInt64.self) == 3)
      gets.release()
      try space.protect(0x10000..<0x11000, .read)
      #expect(throws: PageError.segmentationViolation) { try space.store(UInt8(1), at: 0x10fff) }
      try space.store(UInt8(1), at: 0x11000)
      try space.unmap(range)
      #expect(space.mapping(at: 0x10000) == nil && space.mapping(at: 0x13fff) == nil)
    }
  }

  @Test func aMappingIsMovedResizedAndDuplicatedByItsRange() throws {
    try withSpace { space in
      try space.map(0x10000..<0x12000, protection: .readWrite, sharing: .shared)
      for page in 0..<2 { try space.store(UInt64(page + 1), at: VirtualAddress(0x10000) + page * Page.size) }
      try space.remap(0x10000..<0x12000, to: 0x20000..<0x23000)
      #expect(space.mapping(at: 0x10000) == nil)
      #expect(try space.load(at: 0x21000, as: UInt64.self) == 2)
      try space.remap(0x20000..<0x23000, to: 0x20000..<0x21000)
      #expect(space.mapping(at: 0x20000)?.range == 0x20000..<0x21000)
      try space.remap(0x20000..<0x20000, to: 0x30000..<0x31000)
      #expect(try space.load(at: 0x30000, as: UInt64.self) == 1)
      try space.remap(0x30000..<0x31000, to: 0x40000..<0x41000, unmapsOldRange: false)
      #expect(space.mapping(at: 0x30000) != nil && space.mapping(at: 0x40000) != nil)
      #expect(throws: PageError.invalidArgument) { try space.remap(0x40000..<0x41000, to: 0x50000..<0x50800) }
      #expect(throws: PageError.invalidArgument) { try space.remap(0x40000..<0x40800, to: 0x50000..<0x51000) }
    }
  }

  @Test(arguments: [0x10000..<0x10800, 0x10800..<0x11000, 0x10001..<0x11001] as [Range<VirtualAddress>])
  func aRangeThatIsNotOfPagesIsAnInvalidArgument(range: Range<VirtualAddress>) throws {
    try withSpace { space in
      try space.map(0x10000..<0x12000, protection: .readWrite)
      #expect(throws: PageError.invalidArgument) { try space.map(range, protection: .read) }
      #expect(throws: PageError.invalidArgument) { try space.unmap(range) }
      #expect(throws: PageError.invalidArgument) { try space.protect(range, .none) }
      #expect(throws: PageError.invalidArgument) { try space.advise(range, .dontNeed) }
      #expect(throws: PageError.invalidArgument) { try space.pin(range).release() }
      #expect(throws: PageError.invalidArgument) { try space.get(range).release() }
      try space.store(UInt8(1), at: 0x10000)
      try space.store(UInt8(1), at: 0x11fff)
    }
  }

  @Test func emptyAndEndlessRanges() throws {
    try withSpace { space in
      let all = VirtualAddress(0)..<VirtualAddress(1 << 48)
      #expect(throws: PageError.invalidArgument) { try space.map(0x10000..<0x10000, protection: .read) }
      #expect(throws: PageError.outOfMemory) { try space.map(all, protection: .read) }
      #expect(throws: PageError.invalidArgument) { try space.unmap(all) }
      #expect(throws: PageError.outOfMemory) { try space.protect(all, .read) }
      try space.protect(0x10000..<0x10000, .read)
      #expect(throws: PageError.badAddress) { try space.pin(all).release() }
      #expect(try space.pin(0x10000..<0x10000).isEmpty)
      #expect(space.mapping(at: 0x10000) == nil)
    }
  }

  /// In release builds too: a store through a pin for reading would go past copy-on-write.
  @Test func pagesPinnedForReadingLendNoMutableBytes() async throws {
    await #expect(processExitsWith: .failure) {
      let space = AddressSpace(try PhysicalMemory(ramPages: 8))
      try space.map(0x10000..<0x12000, protection: .readWrite)
      // Without this the pages would be the one of zeroes, which traps by itself.
      try space.advise(0x10000..<0x12000, .populateWrite)
      let pins = try space.pin(0x10000..<0x12000)
      pins.withUnsafeMutableBytes(at: 1) { $0[0] = 1 }
      pins.release()
    }
    await #expect(processExitsWith: .failure) {
      let space = AddressSpace(try PhysicalMemory(ramPages: 8))
      try space.map(0x10000..<0x12000, protection: .readWrite)
      let pins = try space.pin(0x10000..<0x12000)
      // What is stored to would trap by itself.
      pins.withUnsafeMutableIOVectors { _ in }
      pins.release()
      space.exit()
    }
    await #expect(processExitsWith: .success) {
      let space = AddressSpace(try PhysicalMemory(ramPages: 8))
      try space.map(0x10000..<0x12000, protection: .readWrite)
      let pins = try space.pin(0x10000..<0x12000, .write)
      pins.withUnsafeMutableBytes(at: 1) { $0[0] = 1 }
      let byte = pins.withUnsafeBytes(at: 1) { $0[0] }
      let bytes = pins.withUnsafeMutableIOVectors { $0.reduce(0) { $0 + $1.iov_len } }
      guard bytes == 2 * Page.size, pins.withUnsafeIOVectors({ $0.count }) > 0 else { fatalError("pages are left out") }
      pins.release(dirty: true)
      guard byte == 1, try space.load(at: 0x11000, as: UInt8.self) == 1 else { fatalError("the store is lost") }
      space.exit()
    }
  }
}
