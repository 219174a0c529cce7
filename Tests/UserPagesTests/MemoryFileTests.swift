import TestSupport
import Testing

@testable import UserPages

/// Memory files that are cut, grow and get holes.
@Suite struct MemoryFileTests {
  private let start: VirtualAddress = 0x4000_0000

  private func address(_ page: Int) -> VirtualAddress { start + page * Page.size }

  private func withFile(
    _ engine: PinEngine = .reference, sharing: Sharing = .shared,
    _ body: (PhysicalMemory, AddressSpace, PageCacheFile) throws -> Void
  ) throws {
    let memory = try PhysicalMemory(ramPages: 64)
    do {
      let space = AddressSpace(memory, engine: engine)
      let file = try PageCacheFile(memory, pages: 8, fill: 9, maximumPages: 32)
      try space.map(at: start, pages: 16, protection: .readWrite, sharing: sharing, backing: .file(file))
      try body(memory, space, file)
      space.exit()
    }
    memory.flushDeferredFrees()
    #expect(memory.census().isClean)
    #expect(memory.freePages == 64)
  }

  @Test(arguments: Engines.all)
  func beyondTheEnd(engine: PinEngine) throws {
    try withFile(engine) { _, space, file in
      for page in 0..<8 { try space.store(UInt64(page + 100), at: address(page)) }
      let pin = try space.pin(at: address(6), [.write, .longTerm])
      try file.setByteCount(4 * Page.size + 100)
      #expect(file.pageCount == 5 && file.byteCount == 4 * Page.size + 100 && file.cachedPages == 5)
      for page in 5..<16 {
        #expect(space.entry(at: address(page)).kind == .none)
        #expect(throws: PageError.busError) { _ = try space.load(at: address(page), as: UInt64.self) }
        #expect(throws: PageError.badAddress) { try space.pin(at: address(page)).release() }
      }
      #expect(try space.load(at: address(4), as: UInt64.self) == 104)
      #expect(try space.load(at: address(4) + 96, as: UInt64.self) == 0x0909_0909)
      pin.deviceBytes.store(UInt64(1))
      try file.setByteCount(10 * Page.size)
      for page in 5..<10 { #expect(try space.load(at: address(page), as: UInt64.self) == 0) }
      #expect(throws: PageError.busError) { _ = try space.load(at: address(10), as: UInt64.self) }
      #expect(pin.deviceBytes.load(as: UInt64.self) == 1)
      pin.release(dirty: true)
    }
  }

  /// What was never in the cache when the file was cut comes back as zeroes all the same.
  @Test func pagesThatWereNeverUsed() throws {
    try withFile { _, space, file in
      try file.punchHole(1..<2)
      try file.setByteCount(2 * Page.size + 8)
      try file.setByteCount(8 * Page.size)
      #expect(file.cachedPages == 0)
      #expect(try space.load(at: address(0), as: UInt64.self) == 0x0909_0909_0909_0909)
      #expect(try space.load(at: address(1), as: UInt64.self) == 0)
      #expect(try space.load(at: address(2) + 4, as: UInt64.self) == 0x0909_0909)
      #expect(try space.load(at: address(3), as: UInt64.self) == 0)
      // Nor does a new cache bring it back.
      file.drop()
      #expect(try file.read(at: Page.size - 1, count: 2) == [9, 0])
      #expect(try file.read(at: 2 * Page.size + 7, count: 2) == [9, 0])
    }
  }

  @Test(arguments: Engines.all, [true, false])
  func privateCopies(engine: PinEngine, isHole: Bool) throws {
    try withFile(engine, sharing: .private) { _, space, file in
      for page in 2..<4 { try space.store(UInt64(7), at: address(page)) }
      _ = try space.load(at: address(4), as: UInt64.self)
      if isHole {
        try file.punchHole(2..<5)
        #expect(try space.load(at: address(2), as: UInt64.self) == 7)
      } else {
        try file.setByteCount(2 * Page.size)
        #expect(throws: PageError.busError) { _ = try space.load(at: address(2), as: UInt64.self) }
        try file.setByteCount(8 * Page.size)
        #expect(try space.load(at: address(2), as: UInt64.self) == 0)
      }
      #expect(try space.load(at: address(4), as: UInt64.self) == 0)
    }
  }

  /// The private copy of the last page keeps what the file loses.
  @Test func theRestOfTheLastPage() throws {
    try withFile(sharing: .private) { _, space, file in
      try space.store(UInt64(7), at: address(2) + 8)
      _ = try space.load(at: address(3), as: UInt64.self)
      try file.setByteCount(2 * Page.size + 8)
      #expect(try space.load(at: address(2) + 8, as: UInt64.self) == 7)
      #expect(try file.read(at: 2 * Page.size, count: 100).count == 8)
      try file.setByteCount(2 * Page.size + 4)
      try file.setByteCount(2 * Page.size + 16)
      #expect(try file.read(at: 2 * Page.size, count: 100) == [9, 9, 9, 9] + [UInt8](repeating: 0, count: 12))
    }
  }

  @Test func writesMakeItLonger() throws {
    try withFile { _, space, file in
      try file.write([1, 2], at: 9 * Page.size - 1)
      #expect(file.byteCount == 9 * Page.size + 1)
      #expect(try space.load(at: address(8) + 4095, count: 1) == [1])
      #expect(try space.load(at: address(9), count: 2) == [2, 0])
      #expect(throws: PageError.file(.resize, errno: 27)) { try file.write([1, 2], at: 32 * Page.size - 1) }
      #expect(throws: PageError.file(.resize, errno: 27)) { try file.setByteCount(32 * Page.size + 1) }
      #expect(throws: PageError.invalidArgument) { try file.write([1], at: -1) }
      #expect(throws: PageError.invalidArgument) { try file.setByteCount(-1) }
      #expect(throws: PageError.invalidArgument) { try file.punchHole(0..<11) }
      #expect(throws: PageError.invalidArgument) {
        _ = try PageCacheFile(space.memory, pages: 1, maximumPages: -1)
      }
      #expect(file.byteCount == 9 * Page.size + 1)
    }
  }

  /// A frame of 2 MiB loses pages one by one.
  @Test(arguments: Engines.all)
  func partsOfAHugeFrame(engine: PinEngine) throws {
    let memory = try PhysicalMemory(ramPages: 2048)
    do {
      let space = AddressSpace(memory, engine: engine)
      let file = try PageCacheFile(memory, pages: 512, fill: 9)
      try space.map(
        at: start, pages: 512, protection: .readWrite, sharing: .shared, backing: .file(file), hugePages: true)
      try space.store(UInt64(1), at: address(0))
      #expect(space.entry(at: start).kind == .huge)
      let pin = try space.pin(at: address(300), .write)
      try file.punchHole(1..<3)
      #expect(file.cachedPages == 510)
      #expect(try (0..<4).map { try space.load(at: address($0), count: 1)[0] } == [1, 0, 0, 9])
      try file.setByteCount(200 * Page.size)
      #expect(throws: PageError.busError) { _ = try space.load(at: address(300), count: 1) }
      try file.setByteCount(512 * Page.size)
      // The pages that stayed are no 2 MiB any more.
      let other = AddressSpace(memory, engine: engine)
      try other.map(at: start, pages: 512, protection: .read, sharing: .shared, backing: .file(file), hugePages: true)
      #expect(try [0, 1, 3, 199, 200, 300].map { try other.load(at: address($0), count: 1)[0] } == [1, 0, 9, 9, 0, 0])
      #expect(other.entry(at: start).kind == .normal)
      #expect(pin.deviceBytes.load(as: UInt8.self) == 9)
      pin.release()
      other.exit()
      space.exit()
    }
    memory.flushDeferredFrees()
    #expect(memory.census().isClean)
    #expect(memory.freePages == 2048)
  }
}
