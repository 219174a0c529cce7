import TestSupport
import Testing
import UserPages

/// Pins of what cannot be pinned: the error that Linux gives, and nothing held.
@Suite struct PinErrorTests {
  @Test(arguments: Engines.all)
  func holes(engine: PinEngine) throws {
    let machine = try Machine(frames: 64)
    do {
      let space = AddressSpace(machine.memory, engine: engine)
      #expect(throws: PageError.badAddress) { try space.pin(at: 0x10000).release() }
      #expect(throws: PageError.badAddress) { try space.pin(at: 0x10000, [.write, .force]).release() }
      #expect(throws: PageError.badAddress) { try space.pin(at: 0x10000, pages: 3).release() }
      #expect(throws: PageError.tryAgain) { try space.pin(at: 0x10000, .fastOnly).release() }
      #expect(try space.pin(at: 0x10000, pages: 3, .fastOnly).count == 0)
      // A hole in the middle ends a range pin early.
      try space.map(at: 0x10000, pages: 2, protection: .readWrite)
      try space.map(at: 0x13000, pages: 1, protection: .readWrite)
      let pins = try space.pin(at: 0x10000, pages: 4, .write)
      #expect(pins.count == 2)
      pins.release()
      #expect(space.counters.fast + space.counters.slow == 2)
    }
    #expect(machine.leaks() == [])
  }

  @Test(arguments: Engines.all)
  func permissions(engine: PinEngine) throws {
    let machine = try Machine(frames: 64)
    do {
      let space = AddressSpace(machine.memory, engine: engine)
      try space.map(at: 0x10000, pages: 1, protection: .readWrite)
      try space.store(UInt64(7), at: 0x10000)
      try space.protect(at: 0x10000, pages: 1, .read)
      #expect(throws: PageError.badAddress) { try space.pin(at: 0x10000, .write).release() }
      try space.pin(at: 0x10000).release()
      let forced = try space.pin(at: 0x10000, [.write, .force])
      forced.deviceBytes.store(UInt64(8))
      #expect(try space.load(at: 0x10000, as: UInt64.self) == 8)
      forced.release(dirty: true)
      #expect(throws: PageError.segmentationViolation) { try space.store(UInt64(9), at: 0x10000) }
      try space.protect(at: 0x10000, pages: 1, .none)
      #expect(throws: PageError.badAddress) { try space.pin(at: 0x10000).release() }
      let debugger = try space.pin(at: 0x10000, .force)
      #expect(debugger.deviceBytes.load(as: UInt64.self) == 8)
      debugger.release()
    }
    #expect(machine.leaks() == [])
  }

  @Test(arguments: Engines.all)
  func framesWithoutDescriptors(engine: PinEngine) throws {
    let machine = try Machine(frames: 64)
    do {
      let image = try Image(machine.memory, pages: 2) { UInt8($0 + 1) }
      let device = try DeviceRange(machine.memory, pages: 1)
      let space = AddressSpace(machine.memory, engine: engine)
      try space.map(at: 0x10000, pages: 2, protection: .readWrite, backing: .mixed(image))
      try space.map(at: 0x20000, pages: 2, protection: .readWrite, backing: .pfn(image))
      try space.map(at: 0x30000, pages: 1, protection: .readWrite, sharing: .shared, backing: .pfn(device, isIO: true))
      for address: VirtualAddress in [0x10000, 0x20000, 0x30000] {
        _ = try space.load(at: address, as: UInt64.self)
        #expect(throws: PageError.badAddress) { try space.pin(at: address).release() }
        #expect(throws: PageError.tryAgain) { try space.pin(at: address, .fastOnly).release() }
      }
      #expect(throws: PageError.badAddress) { try space.pin(at: 0x30000, .write).release() }
      // Only a copy of its own has a descriptor.
      let pin = try space.pin(at: 0x10000, .write)
      #expect(pin.deviceBytes.load(as: UInt8.self) == 1)
      pin.release()
      #expect(throws: PageError.readOnly) { try image.write([1], at: 0) }
    }
    #expect(machine.leaks() == [])
  }

  @Test func optionsThatDoNotGoTogether() throws {
    let space = AddressSpace(try PhysicalMemory(ramPages: 8))
    try space.map(at: 0x10000, pages: 1, protection: .readWrite)
    #expect(throws: PageError.invalidArgument) { try space.pin(at: 0x10000, [.get, .longTerm]).release() }
    #expect(throws: PageError.invalidArgument) { try space.pin(at: 0x10000, pages: 1, [.get, .longTerm]).release() }
    #expect(throws: PageError.badAddress) { try space.pin(at: 0x10000, [.noFault, .write]).release() }
    #expect(space.entry(at: 0x10000).kind == .none)
  }

  @Test(arguments: Engines.all)
  func behindTheEndOfAFile(engine: PinEngine) throws {
    let machine = try Machine(frames: 64)
    do {
      let file = try PageCacheFile(machine.memory, contents: [UInt8](repeating: 9, count: 5000))
      let space = AddressSpace(machine.memory, engine: engine)
      try space.map(at: 0x10000, pages: 4, protection: .readWrite, sharing: .shared, backing: .file(file))
      #expect(try space.load(at: 0x11000 + 903, count: 2) == [9, 0])
      #expect(throws: PageError.busError) { try space.load(at: 0x12000, as: UInt8.self) }
      #expect(throws: PageError.busError) { try space.store(UInt8(1), at: 0x13000) }
      #expect(throws: PageError.badAddress) { try space.pin(at: 0x12000).release() }
      let pins = try space.pin(at: 0x10000, pages: 4)
      #expect(pins.count == 2)
      pins.release()
      #expect(try file.read(at: 4990, count: 100).count == 10)
      #expect(try file.read(at: 5000, count: 1) == [])
      #expect(try file.read(at: Int.max, count: Int.max) == [])
      #expect(throws: PageError.invalidArgument) { try file.read(at: -1, count: 1) }
      #expect(throws: PageError.file(.resize, errno: 27)) { try file.write([1, 2], at: 4999) }
      #expect(throws: PageError.invalidArgument) { try file.write([1], at: Int.max) }
      file.drop()
    }
    #expect(machine.leaks() == [])
  }
}
