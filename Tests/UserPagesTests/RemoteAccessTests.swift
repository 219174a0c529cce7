import TestSupport
import Testing
import UserPages

/// Accesses from another process, and what they share with pins: the permissions of mappings.
@Suite struct RemoteAccessTests {
  private let start: VirtualAddress = 0x40_0000

  private func withSpace(_ engine: PinEngine, _ body: (AddressSpace) throws -> Void) throws {
    let machine = try Machine()
    do {
      let space = AddressSpace(machine.memory, engine: engine)
      try body(space)
      space.exit()
    }
    #expect(machine.leaks() == [])
  }

  @Test(arguments: Engines.all)
  func pagesOneByOne(engine: PinEngine) throws {
    try withSpace(engine) { space in
      try space.map(at: start, pages: 2, protection: .readWrite)
      try space.map(at: start + 2 * Page.size, pages: 1, protection: .read)
      let bytes = (0..<6000).map { UInt8(truncatingIfNeeded: $0) }
      #expect(try space.writeRemotely(bytes, at: start + 8) == 6000)
      #expect(try space.readRemotely(at: start + 8, count: 6000) == bytes)
      #expect(try space.writeRemotely(bytes, at: start + Page.size + 8) == Page.size - 8)
      #expect(try space.readRemotely(at: start + (3 * Page.size - 2), count: 100) == [0, 0])
      #expect(throws: PageError.badAddress) { try space.writeRemotely([1], at: start + 2 * Page.size) }
      #expect(throws: PageError.badAddress) { try space.readRemotely(at: start + 3 * Page.size, count: 1) }
      #expect(throws: PageError.invalidArgument) { try space.readRemotely(at: start, count: -1) }
      #expect(try space.readRemotely(at: 0, count: 0) == [])
      #expect(try space.writeRemotely([], at: 0) == 0)
    }
  }

  /// The private page is copied before the bytes reach the file's page that it is a copy of.
  @Test(arguments: Engines.all)
  func allPagesArePinnedBeforeOneIsWrittenTo(engine: PinEngine) throws {
    let machine = try Machine()
    do {
      let file = try PageCacheFile(machine.memory, pages: 1)
      let space = AddressSpace(machine.memory, engine: engine)
      try space.map(at: start, pages: 1, protection: .readWrite, sharing: .shared, backing: .file(file))
      try space.map(at: start + Page.size, pages: 1, protection: .readWrite, backing: .file(file))
      #expect(try space.writeRemotely([1, 2, 3, 4], at: start + (Page.size - 2)) == 4)
      #expect(try space.load(at: start + (Page.size - 2), count: 4) == [1, 2, 3, 4])
      #expect(try space.load(at: start + (2 * Page.size - 2), count: 2) == [0, 0])
      space.exit()
      file.drop()
    }
    #expect(machine.leaks() == [])
  }

  /// Memory that is write-only can be loaded from, and not be read by another process nor pinned by the slow path.
  @Test(arguments: Engines.all)
  func writeOnly(engine: PinEngine) throws {
    try withSpace(engine) { space in
      try space.map(at: start, pages: 1, protection: .write)
      #expect(throws: PageError.badAddress) { try space.pin(at: start).release() }
      try space.store(UInt64(7), at: start)
      #expect(try space.load(at: start, as: UInt64.self) == 7)
      #expect(throws: PageError.badAddress) { try space.readRemotely(at: start, count: 1) }
      #expect(try space.writeRemotely([8], at: start) == 1)
      #expect(try space.load(at: start, as: UInt64.self) == 8)
      #expect(throws: PageError.invalidArgument) { try space.advise(at: start, pages: 1, .populateRead) }
      try space.pin(at: start, .force).release()
    }
  }

  @Test(arguments: Engines.all)
  func aMappingThatReplacesNothing(engine: PinEngine) throws {
    try withSpace(engine) { space in
      try space.map(at: start + Page.size, pages: 1, protection: .readWrite)
      try space.store(UInt64(7), at: start + Page.size)
      for (page, pages) in [(0, 2), (1, 1), (1, 5), (0, 3)] {
        #expect(throws: PageError.alreadyMapped) {
          try space.map(at: start + page * Page.size, pages: pages, protection: .read, replaces: false)
        }
      }
      #expect(try space.load(at: start + Page.size, as: UInt64.self) == 7)
      try space.map(at: start, pages: 1, protection: .read, replaces: false)
      try space.map(at: start + 2 * Page.size, pages: 1, protection: .read, replaces: false)
      #expect(throws: PageError.segmentationViolation) { try space.store(UInt64(1), at: start) }
    }
  }
}
