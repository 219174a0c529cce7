import TestSupport
import Testing

@testable import UserPages

/// Sealed ranges: what is refused, and that nothing changes then.
@Suite struct SealTests {
  /// Three pages, of which the second is sealed.
  private func withSeal(
    _ protection: Protection = .readWrite, engine: PinEngine = .reference, _ body: (AddressSpace) throws -> Void
  ) throws {
    let memory = try PhysicalMemory(ramPages: 64)
    do {
      let space = AddressSpace(memory, engine: engine)
      try space.map(at: 0x10000, pages: 3, protection: .readWrite)
      for page in 0..<3 { try space.store(UInt64(page + 1), at: 0x10000 + page * Page.size) }
      try space.protect(at: 0x10000, pages: 3, protection)
      try space.seal(at: 0x11000, pages: 1)
      try body(space)
      #expect(try (0..<3).map { try space.load(at: 0x10000 + $0 * Page.size, as: UInt64.self) } == [1, 2, 3])
      space.exit()
    }
    memory.flushDeferredFrees()
    #expect(memory.census().isClean, "the end of a space asks for no seal")
  }

  @Test func unmapRefusesTheWhole() throws {
    try withSeal { space in
      for (start, pages) in [(0x10000, 3), (0x11000, 1), (0x10000, 2)] as [(VirtualAddress, Int)] {
        #expect(throws: PageError.notPermitted) { try space.unmap(at: start, pages: pages) }
      }
    }
  }

  @Test func mapRefusesToReplace() throws {
    try withSeal { space in
      #expect(throws: PageError.notPermitted) { try space.map(at: 0x10000, pages: 3, protection: .read) }
      #expect(throws: PageError.alreadyMapped) {
        try space.map(at: 0x10000, pages: 3, protection: .read, replaces: false)
      }
    }
  }

  @Test func protectStopsAtIt() throws {
    try withSeal { space in
      #expect(throws: PageError.notPermitted) { try space.protect(at: 0x10000, pages: 3, .read) }
      let protections = (0..<3).map { space.mapping(at: 0x10000 + $0 * Page.size)?.protection }
      #expect(protections == [.read, .readWrite, .readWrite])
    }
  }

  @Test func remapMovesNothingSealed() throws {
    try withSeal { space in
      try space.map(at: 0x20000, pages: 1, protection: .read)
      let refused: [(VirtualAddress, Int, VirtualAddress, Int)] = [
        (0x11000, 1, 0x30000, 1),  // from there
        (0x11000, 1, 0x11000, 2),  // a new length
        (0x20000, 1, 0x11000, 1),  // over it
        (0x20000, 1, 0x11000, 2),
        (0x10000, 3, 0x10000, 1),  // its end cut off
      ]
      for (from, pages, to, newPages) in refused {
        #expect(throws: PageError.notPermitted) { try space.remap(at: from, pages: pages, to: to, newPages: newPages) }
      }
      // The mappings before it have moved, as on Linux.
      #expect(throws: PageError.notPermitted) { try space.remap(at: 0x10000, pages: 3, to: 0x30000, newPages: 3) }
      #expect(space.mapping(at: 0x10000) == nil)
      try space.remap(at: 0x30000, pages: 1, to: 0x10000, newPages: 1)
    }
  }

  /// Where the program could store instead, it may also drop pages.
  @Test func discardsNeedPermissionToWrite() throws {
    try withSeal(.read) { space in
      for advice in [Advice.dontNeed, .dontFork, .wipeOnFork, .guardInstall] {
        #expect(throws: PageError.notPermitted) { try space.advise(at: 0x11000, pages: 1, advice) }
      }
      for advice in [Advice.doFork, .keepOnFork, .cold, .populateRead, .guardRemove] {
        try space.advise(at: 0x11000, pages: 1, advice)
      }
    }
    try withSeal { space in
      try space.advise(at: 0x11000, pages: 1, .dontNeed)
      try space.store(UInt64(2), at: 0x11000)
    }
  }

  @Test func aHoleIsNotSealed() throws {
    try withSeal { space in
      #expect(throws: PageError.outOfMemory) { try space.seal(at: 0x12000, pages: 2) }
      #expect(throws: PageError.invalidArgument) { try space.seal(at: 0x12001, pages: 1) }
      #expect(throws: PageError.invalidArgument) { try space.seal(at: 0x12000, pages: Int.max) }
      #expect(throws: PageError.outOfMemory) { try space.seal(at: 0x7fff_ffff_f000, pages: 1) }
      try space.seal(at: 0x12000, pages: 0)
      try space.protect(at: 0x12000, pages: 1, .read)
    }
  }

  @Test(arguments: Engines.all) func isInherited(engine: PinEngine) throws {
    try withSeal(engine: engine) { space in
      let child = try space.fork()
      #expect(throws: PageError.notPermitted) { try child.unmap(at: 0x11000, pages: 1) }
      try child.unmap(at: 0x10000, pages: 1)
      try child.store(UInt64(9), at: 0x11000)
      let pin = try child.pin(at: 0x11000, .write)
      #expect(pin.load(as: UInt64.self) == 9)
      pin.release()
      child.exit()
    }
  }
}
