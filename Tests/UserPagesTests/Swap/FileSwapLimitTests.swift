import TestSupport
import Testing

@testable import UserPages

/// What of memory files does not go to the swap file, and what reclaim takes first.
@Suite struct FileSwapLimitTests {
  /// As on Linux a full swap file is no error.
  @Test func aFullSwapFile() throws {
    try Swapped.withFile(swapPages: 2) { machine, space, file in
      try Swapped.pageOut(space)
      #expect(machine.memory.freePages == 62)
      #expect(file.cachedPages == 2)
      for page in 0..<4 { #expect(try space.load(at: Swapped.address(page), as: UInt64.self) == Swapped.word(page)) }
    }
  }

  /// Without a swap file nothing goes.
  @Test func noSwapFile() throws {
    try Swapped.withFile(swapPages: 0) { machine, space, file in
      try Swapped.pageOut(space)
      #expect(file.cachedPages == 4)
      #expect(machine.memory.reclaim(pages: 4) == 0)
    }
  }

  /// Reclaim spares pages that were accessed since it last looked.
  @Test func reclaimSparesAccessedPages() throws {
    try Swapped.withFile { machine, space, file in
      // The first turn of the clock takes the marks away.
      try space.advise(at: Swapped.start, pages: 4, .cold)
      #expect(try space.load(at: Swapped.address(2), as: UInt64.self) == Swapped.word(2))
      #expect(machine.memory.reclaim(pages: 3) == 3)
      #expect(space.entry(at: Swapped.address(2)).kind == .normal)
      #expect(file.cachedPages == 1)
    }
  }

  /// A program with more shared memory than RAM.
  @Test(arguments: Engines.all)
  func moreThanThereIs(engine: PinEngine) throws {
    let machine = try Machine(frames: 16, swapPages: 64)
    do {
      let space = AddressSpace(machine.memory, engine: engine)
      try space.map(at: Swapped.start, pages: 48, protection: .readWrite, sharing: .shared)
      for page in 0..<48 { try space.store(Swapped.word(page), at: Swapped.address(page)) }
      for page in 0..<48 { #expect(try space.load(at: Swapped.address(page), as: UInt64.self) == Swapped.word(page)) }
      space.exit()
    }
    #expect(machine.leaks() == [])
  }

  /// A cut through a page that is out, while other memory has every frame.
  @Test func aCutWithoutFreeFrames() throws {
    let machine = try Machine(frames: 8, swapPages: 64)
    do {
      let file = try PageCacheFile(machine.memory, contents: [UInt8](repeating: 7, count: Page.size))
      #expect(try file.read(at: 0, count: 1) == [7])
      #expect(machine.memory.reclaim(pages: 1) == 1)
      let space = AddressSpace(machine.memory)
      try space.map(at: Swapped.start, pages: 8, protection: .readWrite)
      for page in 0..<8 { try space.store(Swapped.word(page), at: Swapped.address(page)) }
      #expect(machine.memory.freePages == 0)
      try file.setByteCount(100)
      try file.setByteCount(Page.size)
      #expect(try file.read(at: 99, count: 2) == [7, 0])
      space.exit()
    }
    #expect(machine.leaks() == [])
  }

  /// 2 MiB of a file do not come into the cache around a page that is out, and go out after base pages.
  @Test func hugePages() throws {
    let machine = try Machine(frames: 2048, swapPages: 64)
    do {
      let space = AddressSpace(machine.memory)
      let file = try PageCacheFile(machine.memory, pages: 2 * Page.pagesPerHuge)
      let start: VirtualAddress = 0x4000_0000
      try space.map(
        at: start, pages: 2 * Page.pagesPerHuge, protection: .readWrite, sharing: .shared, backing: .file(file),
        hugePages: true)
      try file.write([6], at: 5 * Page.size)
      #expect(machine.memory.reclaim(pages: 1) == 1)
      #expect(file.cachedPages == 0)
      #expect(try space.load(at: start, count: 1) == [0])
      #expect(space.entry(at: start).kind == .normal)
      #expect(try space.load(at: start + 5 * Page.size, count: 1) == [6])
      try space.store(UInt64(7), at: start + Page.hugeSize)
      #expect(space.entry(at: start + Page.hugeSize).kind == .huge)
      // The base pages first.
      #expect(machine.memory.reclaim(pages: 2) == 2)
      #expect(space.entry(at: start + Page.hugeSize).kind == .huge)
      space.exit()
    }
    #expect(machine.leaks() == [])
  }

  /// Memory that is mapped by number has no entry that holds it, and never goes.
  @Test func secretMemory() throws {
    let machine = try Machine(frames: 16, swapPages: 16)
    do {
      let space = AddressSpace(machine.memory)
      try space.map(at: Swapped.start, pages: 1, protection: .readWrite, sharing: .shared, backing: .secret)
      try space.store(UInt64(7), at: Swapped.start)
      // A child's is not locked.
      let child = try space.fork()
      #expect(try child.load(at: Swapped.start, as: UInt64.self) == 7)
      try child.advise(at: Swapped.start, pages: 1, .pageOut)
      #expect(machine.memory.reclaim(pages: 1) == 0)
      #expect(try space.load(at: Swapped.start, as: UInt64.self) == 7)
      child.exit()
      space.exit()
    }
    #expect(machine.leaks() == [])
  }
}
