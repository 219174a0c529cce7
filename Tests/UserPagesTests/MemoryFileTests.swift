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

  /// A mapping by number shows none of the file's frames. It keeps no page from going.
  @Test func aHoleBesideAMappingByNumber() throws {
    try withFile { _, space, file in
      try space.map(at: 0x9000_0000, pages: 8, protection: .read, sharing: .shared, backing: .pfn(file))
      try space.store(UInt64(7), at: address(2))
      try file.punchHole(2..<3)
      #expect(try space.load(at: address(2), as: UInt64.self) == 0)
    }
  }

  /// A file costs memory and time where it has pages, however long it is.
  @Test func aFileOf64TiB() throws {
    let memory = try PhysicalMemory(ramPages: 64)
    do {
      let pages = 1 << 34
      let file = try PageCacheFile(memory, pages: pages)
      let far = [0, 511, 512, 1 << 20, 1 << 33, pages - 1]
      for (index, page) in far.enumerated() { try file.write([UInt8(index + 1)], at: page * Page.size) }
      #expect(file.cachedPages == far.count)
      #expect(file.index.residents(in: 0..<pages) == far)
      #expect(file.index.residents(in: 1..<pages - 1) == [511, 512, 1 << 20, 1 << 33])
      #expect(file.index.residents(in: 512..<513) == [512])
      #expect(file.index.residents(in: 513..<1 << 20) == [])
      #expect(file.index.residents(in: 7..<7) == [])
      try file.punchHole(1..<(1 << 33) + 1)
      #expect(file.index.residents(in: 0..<pages) == [0, pages - 1])
      #expect(try file.read(at: (1 << 33) * Page.size, count: 1) == [0])
      try file.setByteCount(Page.size)
      #expect(try file.read(at: 0, count: 1) == [1])
      file.drop()
      #expect(file.cachedPages == 0)
    }
    memory.flushDeferredFrees()
    #expect(memory.census().isClean)
  }

  /// Shared anonymous memory is such a file.
  @Test func aSharedMappingOf64TiB() throws {
    let memory = try PhysicalMemory(ramPages: 64)
    do {
      let space = AddressSpace(memory)
      try space.map(at: 0x20_0000, pages: 1 << 34, protection: .readWrite, sharing: .shared)
      try space.store(UInt8(5), at: 0x20_0000 + (1 << 33) * Page.size)
      #expect(try space.load(at: 0x20_0000 + (1 << 33) * Page.size, as: UInt8.self) == 5)
      space.exit()
    }
    memory.flushDeferredFrees()
    #expect(memory.census().isClean)
  }

  /// Every length at which the index has one level more or less.
  @Test(arguments: [0, 1, 511, 512, 513, 4096, 4097, 512 * 512, 512 * 512 + 1])
  func anIndexOfEachDepth(count: Int) throws {
    let index = try PageCacheIndex(count: count)
    let places = Set([0, 1, count / 2, count - 2, count - 1].filter { (0..<count).contains($0) }).sorted()
    for place in places {
      #expect(index.install(PFN(UInt64(place + 9)), at: place))
      #expect(!index.install(PFN(3), at: place))
    }
    #expect(index.residents(in: 0..<count) == places)
    for place in places {
      #expect(index[place] == PFN(UInt64(place + 9)) && index.remove(PFN(UInt64(place + 9)), at: place))
    }
    #expect(index.residents(in: 0..<count) == [])
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
      #expect(throws: PageError.invalidArgument) { try file.punchHole(-1..<11) }
      // Beyond the end there is nothing to punch.
      try file.punchHole(9..<Int.max)
      try file.punchHole(10..<11)
      #expect(try space.load(at: address(9), count: 1) == [0])
      #expect(try space.load(at: address(8) + 4095, count: 1) == [1])
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

extension PageCacheIndex {
  /// The pages of a range that have a frame.
  fileprivate func residents(in range: Range<Int>) -> [Int] {
    var pages: [Int] = []
    forEach(in: range) { page in
      pages.append(page)
      return true
    }
    return pages
  }
}
