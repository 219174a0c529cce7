import TestSupport
import Testing

@testable import UserPages

/// What does not become 2 MiB.
extension HugeFileCollapseTests {
  /// It ends the advice.
  @Test func untouchedMemory() throws {
    try withFile { machine, space, file in
      try file.punchHole(0..<1024)
      try share(space, file)
      try number(space, 600..<601)
      #expect(throws: PageError.invalidArgument) { try collapse(space, pages: 1024) }
      #expect(space.says(hugeBase.page(600)) == "normal rw dirty")
      #expect(file.cachedPages == 1)
      try number(space, 0..<1)
      try file.setByteCount(512 * Page.size)
      // The second 2 MiB lie beyond the end.
      #expect(throws: PageError.invalidArgument) { try collapse(space, pages: 1024) }
      #expect(space.says(hugeBase) == "huge r")
      machine.memory.flushDeferredFrees()
      #expect(machine.memory.census().framesInUse == 512)
    }
  }

  /// It does not end the advice.
  @Test(arguments: Engines.all, [PinOptions.write, [.get, .write], .get]) func aPageThatIsHeld(
    engine: PinEngine, options: PinOptions
  ) throws {
    try withFile(engine: engine) { machine, space, file in
      try share(space, file)
      try number(space, 0..<1024)
      let pin = try space.pin(at: hugeBase.page(9), options)
      #expect(throws: PageError.tryAgain) { try collapse(space, pages: 1024) }
      #expect(space.says(hugeBase.page(600)) == "huge r")
      #expect(try space.firstUnnumbered(pages: 0..<1024) == nil)
      #expect(space.says(hugeBase) == "normal r")
      try space.store(UInt64(99), at: hugeBase.page(9))
      #expect(pin.deviceBytes.load(as: UInt64.self) == 99, "a pin and the program see two pages")
      pin.release()
      machine.memory.flushDeferredFrees()
      try collapse(space)
      #expect(space.says(hugeBase) == "huge r")
      #expect(try space.load(at: hugeBase.page(9), as: UInt64.self) == 99)
    }
  }

  @Test func aGuardMarker() throws {
    try withFile { machine, space, file in
      try share(space, file)
      try number(space, 0..<1024)
      try space.advise(at: hugeBase.page(2), pages: 1, .guardInstall)
      #expect(throws: PageError.invalidArgument) { try collapse(space, pages: 1024) }
      #expect(throws: PageError.segmentationViolation) { try space.load(at: hugeBase.page(2), as: UInt64.self) }
      #expect(try space.firstUnnumbered(pages: 3..<512) == nil)
      #expect(space.says(hugeBase.page(600)) == "huge r")
    }
  }

  @Test func mappingsThatCannot() throws {
    try withFile { machine, space, file in
      // Aligned otherwise.
      try share(space, file, pages: 600, offset: 1)
      try number(space, 0..<600)
      #expect(throws: PageError.invalidArgument) { try collapse(space) }
      // Too short.
      try space.unmap(at: hugeBase, pages: 600)
      try share(space, file, pages: 511)
      #expect(throws: PageError.invalidArgument) { try collapse(space, pages: 511) }
      try space.unmap(at: hugeBase, pages: 511)
      // Two mappings.
      try share(space, file)
      try space.protect(at: hugeBase, pages: 256, .read)
      #expect(throws: PageError.invalidArgument) { try collapse(space) }
      #expect(try space.load(at: hugeBase.page(256), as: UInt64.self) == 256)
    }
  }

  /// An entry by number holds no reference: pages of the file stay in their frames.
  @Test func aMappingByNumber() throws {
    try withFile { machine, space, file in
      try share(space, file)
      try number(space, 0..<512)
      let shown: VirtualAddress = 0x8000_0000
      try space.map(at: shown, pages: 4, protection: .readWrite, sharing: .shared, backing: .pfn(file))
      try space.insertPFN(try space.pfn(hugeBase.page(3)), at: shown, writable: true)
      #expect(throws: PageError.invalidArgument) { try collapse(space) }
      try space.store(UInt64(5), at: shown)
      #expect(try space.load(at: hugeBase.page(3), as: UInt64.self) == 5)
    }
  }

  @Test func noMemory() throws {
    try withFile(frames: 900) { machine, space, file in
      try share(space, file)
      try number(space, 0..<512)
      #expect(throws: PageError.outOfMemory) { try collapse(space) }
      #expect(try space.firstUnnumbered(pages: 0..<512) == nil)
      #expect(space.says(hugeBase) == "normal rw dirty")
    }
  }

}
