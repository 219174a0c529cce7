import TestSupport
import Testing
import UserPages

/// No frame to be had: an error, nothing lost, and work again as soon as something was freed.
@Suite struct ExhaustionTests {
  @Test(arguments: Engines.all)
  func storesAndPins(engine: PinEngine) throws {
    let machine = try Machine(frames: 8)
    do {
      let space = AddressSpace(machine.memory, engine: engine)
      try space.map(at: 0x10000, pages: 16, protection: .readWrite)
      for page in 0..<8 { try space.store(UInt64(page), at: 0x10000 + page * Page.size) }
      #expect(machine.memory.freePages == 0)
      #expect(throws: PageError.outOfMemory) { try space.store(UInt64(8), at: 0x18000) }
      #expect(throws: PageError.outOfMemory) { try space.pin(at: 0x18000, .write).release() }
      #expect(throws: PageError.outOfMemory) { try space.advise(at: 0x18000, pages: 1, .populateWrite) }
      let pins = try space.pin(at: 0x16000, pages: 4, .write)
      #expect(pins.count == 2)
      pins.release()
      // Reading needs no frame of its own.
      #expect(try space.load(at: 0x18000, as: UInt64.self) == 0)
      // What was thrown away is to be had at once, though it is freed only after a grace period.
      try space.advise(at: 0x10000, pages: 1, .dontNeed)
      try space.store(UInt64(8), at: 0x18000)
      for page in 1..<9 { #expect(try space.load(at: 0x10000 + page * Page.size, as: UInt64.self) == UInt64(page)) }
    }
    #expect(machine.leaks() == [])
  }

  @Test(arguments: Engines.all)
  func copiesAndForks(engine: PinEngine) throws {
    let machine = try Machine(frames: 4)
    do {
      let space = AddressSpace(machine.memory, engine: engine)
      try space.map(at: 0x10000, pages: 3, protection: .readWrite)
      for page in 0..<3 { try space.store(UInt64(page + 1), at: 0x10000 + page * Page.size) }
      let child = try space.fork()
      try child.store(UInt64(9), at: 0x10000)
      #expect(throws: PageError.outOfMemory) { try child.store(UInt64(9), at: 0x11000) }
      #expect(try child.load(at: 0x11000, as: UInt64.self) == 2)
      #expect(try space.load(at: 0x10000, as: UInt64.self) == 1)
      child.exit()
      // A pinned page must be copied at fork. Two frames are not to be had.
      let first = try space.pin(at: 0x10000, .write)
      let second = try space.pin(at: 0x11000, .write)
      #expect(throws: PageError.outOfMemory) { _ = try space.fork() }
      // The fork that failed changed nothing that the parent sees, and the pins still are the parent's pages.
      for page in 0..<3 { #expect(try space.load(at: 0x10000 + page * Page.size, as: UInt64.self) == UInt64(page + 1)) }
      try space.store(UInt64(11), at: 0x10000)
      try space.store(UInt64(12), at: 0x11000)
      #expect(first.deviceBytes.load(as: UInt64.self) == 11)
      #expect(second.deviceBytes.load(as: UInt64.self) == 12)
      first.release()
      second.release()
      let grandchild = try space.fork()
      #expect(try grandchild.load(at: 0x11000, as: UInt64.self) == 12)
      grandchild.exit()
    }
    #expect(machine.leaks() == [])
  }

  @Test func filesAndMachines() throws {
    let machine = try Machine(frames: 2)
    do {
      let file = try PageCacheFile(machine.memory, pages: 3, fill: 5)
      #expect(throws: PageError.outOfMemory) { try file.read(at: 0, count: 3 * Page.size) }
      file.drop()
      #expect(try file.read(at: 2 * Page.size, count: 1) == [5])
      file.drop()
    }
    #expect(machine.leaks() == [])
    for pages in [0, -1, Int.max, Int.min] {
      #expect(throws: PageError.self) { _ = try PhysicalMemory(ramPages: pages) }
      #expect(throws: PageError.self) { _ = try PageCacheFile(machine.memory, pages: pages == 0 ? -2 : pages) }
      #expect(throws: PageError.self) { _ = try DeviceRange(machine.memory, pages: pages) }
      #expect(throws: PageError.self) { _ = try Image(machine.memory, pages: pages) { _ in 0 } }
    }
  }

  @Test func spacesThatComeAndGoForEver() throws {
    let machine = try Machine(frames: 16)
    for round in 0..<200 {
      let space = AddressSpace(machine.memory, engine: Engines.all[round % Engines.all.count])
      try space.map(at: 0x10000 + round * Page.hugeSize, pages: 8, protection: .readWrite)
      for page in 0..<8 { try space.store(UInt64(round), at: 0x10000 + round * Page.hugeSize + page * Page.size) }
      let child = try space.fork()
      try child.store(UInt64(1), at: 0x10000 + round * Page.hugeSize)
    }
    #expect(machine.leaks() == [])
  }
}
