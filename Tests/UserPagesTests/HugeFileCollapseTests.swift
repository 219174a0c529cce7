import TestSupport
import Testing

@testable import UserPages

/// Pages of a memory file that become 2 MiB in one frame (`madvise(MADV_COLLAPSE)`). Each answer was asked of Linux
/// 6.18 by a program that is not kept, with `memfd_create`.
@Suite struct HugeFileCollapseTests {
  func withFile(
    pages: Int = 1024, frames: Int = 4 * Page.pagesPerHuge, swapPages: Int = 0, engine: PinEngine = .reference,
    _ body: (Machine, AddressSpace, PageCacheFile) throws -> Void
  ) throws {
    let machine = try Machine(frames: frames, swapPages: swapPages)
    do {
      let file = try PageCacheFile(machine.memory, pages: pages, fill: 0x0F, maximumPages: max(pages, 1024))
      let space = AddressSpace(machine.memory, engine: engine)
      try body(machine, space, file)
      space.exit()
      file.drop()
    }
    #expect(machine.leaks() == [])
  }

  /// Without leave for 2 MiB: so pages come one by one.
  func share(
    _ space: AddressSpace, _ file: PageCacheFile, at address: VirtualAddress = hugeBase, pages: Int = 1024,
    _ protection: Protection = .readWrite, _ sharing: Sharing = .shared, offset: Int = 0
  ) throws {
    try space.map(
      at: address, pages: pages, protection: protection, sharing: sharing, backing: .file(file), offset: offset)
  }

  func number(_ space: AddressSpace, _ pages: Range<Int>) throws {
    for page in pages { try space.store(UInt64(page + 1), at: hugeBase.page(page)) }
  }

  func collapse(_ space: AddressSpace, pages: Int = 512) throws(PageError) {
    try space.advise(at: hugeBase, pages: pages, .collapse)
  }

  let fill: UInt64 = 0x0F0F_0F0F_0F0F_0F0F

  // MARK: What becomes 2 MiB

  /// Pages that were written when the file was made are in the file, though no access has come to them.
  @Test(arguments: [Sharing.shared, .private]) func pagesThatWereWritten(sharing: Sharing) throws {
    try withFile { machine, space, file in
      try share(space, file, .readWrite, sharing)
      try collapse(space)
      #expect(space.says(hugeBase) == "huge r")
      #expect(try space.load(at: hugeBase.page(511), as: UInt64.self) == fill)
    }
  }

  @Test(arguments: Engines.all) func pagesBecomeOne(engine: PinEngine) throws {
    try withFile(engine: engine) { machine, space, file in
      try share(space, file)
      try number(space, 0..<1024)
      #expect(space.says(hugeBase.page(5)) == "normal rw dirty")
      try collapse(space, pages: 1024)
      machine.memory.flushDeferredFrees()
      #expect(space.says(hugeBase) == "huge r" && space.says(hugeBase.page(1023)) == "huge r")
      #expect(try space.firstUnnumbered(pages: 0..<1024) == nil)
      let census = machine.memory.census()
      #expect(census.framesInUse == 1024 && census.mapcounts == 2 && census.references == 1024 + 2)
      #expect(census.tableNodes == 3)
      #expect(space.frameInformation(at: hugeBase)?.isDirty == true)
      // Again: nothing to do.
      try collapse(space, pages: 1024)
      #expect(machine.memory.census() == census)
      try space.store(UInt64(70), at: hugeBase.page(7))
      #expect(try file.read(at: 7 * Page.size, count: 1) == [70])
      #expect(space.says(hugeBase) == "huge rw dirty")
    }
  }

  /// Pages that were never touched, and such as a hole has taken.
  @Test(arguments: Engines.all) func missingPages(engine: PinEngine) throws {
    try withFile(engine: engine) { machine, space, file in
      try share(space, file)
      try number(space, 100..<110)
      try file.punchHole(105..<106)
      try file.punchHole(300..<301)
      try collapse(space)
      #expect(space.says(hugeBase) == "huge r")
      #expect(file.cachedPages == 512)
      #expect(try space.firstUnnumbered(pages: 100..<105) == nil && space.firstUnnumbered(pages: 106..<110) == nil)
      for page in [105, 300] { #expect(try space.load(at: hugeBase.page(page), as: UInt64.self) == 0) }
      for page in [0, 99, 110, 511] { #expect(try space.load(at: hugeBase.page(page), as: UInt64.self) == fill) }
      #expect(try file.read(at: 105 * Page.size, count: 1) == [0])
      machine.memory.flushDeferredFrees()
      #expect(machine.memory.census().framesInUse == 512)
    }
  }

  /// No entry and no table: the cache has a page.
  @Test(arguments: [Protection.readWrite, .read, .none])
  func aPageThatWasWritten(protection: Protection) throws {
    try withFile { machine, space, file in
      try share(space, file, protection)
      try file.write([7], at: 8 * Page.size)
      try collapse(space)
      #expect(space.says(hugeBase) == (protection == .none ? "huge none" : "huge r"))
      try space.protect(at: hugeBase, pages: 1024, .read)
      #expect(try space.load(at: hugeBase.page(8), as: UInt8.self) == 7)
      #expect(try space.load(at: hugeBase.page(9), as: UInt64.self) == fill)
    }
  }

  @Test(arguments: Engines.all) func sharedAnonymousMemory(engine: PinEngine) throws {
    try withHugePages(engine: engine) { _, space in
      try space.map(at: hugeBase, pages: 512, protection: .readWrite, sharing: .shared)
      try number(space, 3..<4)
      try collapse(space)
      #expect(space.says(hugeBase) == "huge r")
      #expect(try space.firstUnnumbered(pages: 3..<4) == nil)
    }
  }

  @Test(arguments: Engines.all) func pagesThatAreOut(engine: PinEngine) throws {
    try withFile(swapPages: 1024, engine: engine) { machine, space, file in
      try share(space, file)
      try number(space, 0..<512)
      try space.advise(at: hugeBase, pages: 200, .pageOut)
      machine.memory.flushDeferredFrees()
      #expect(file.cachedPages == 312)
      try collapse(space)
      #expect(space.says(hugeBase) == "huge r")
      #expect(try space.firstUnnumbered(pages: 0..<512) == nil)
      machine.memory.flushDeferredFrees()
      #expect(machine.memory.census().swapSlots == 0 && machine.memory.census().framesInUse == 512)
    }
  }

  /// 2 MiB in one frame of which a hole has taken pages: the others are copied to another frame.
  @Test(arguments: Engines.all, [false, true]) func partsOfOneFrame(engine: PinEngine, isTouched: Bool) throws {
    try withFile(engine: engine) { machine, space, file in
      try share(space, file)
      try number(space, 0..<512)
      try collapse(space)
      try file.punchHole(0..<1)
      try file.punchHole(300..<302)
      if isTouched { try space.store(UInt64(3), at: hugeBase.page(301)) }
      _ = try space.load(at: hugeBase.page(2), as: UInt64.self)
      #expect(space.says(hugeBase.page(2)) == "normal r")
      try collapse(space)
      #expect(space.says(hugeBase) == "huge r")
      #expect(try space.load(at: hugeBase, as: UInt64.self) == 0)
      #expect(try space.load(at: hugeBase.page(301), as: UInt64.self) == (isTouched ? 3 : 0))
      #expect(try space.firstUnnumbered(pages: 1..<300) == nil && space.firstUnnumbered(pages: 302..<512) == nil)
      machine.memory.flushDeferredFrees()
      let census = machine.memory.census()
      #expect(census.framesInUse == 512 && census.references == 513 && census.mapcounts == 1)
    }
  }

  /// The file's pages are in one frame, and the space shows them one by one.
  @Test(arguments: Engines.all) func entriesOfOneFrame(engine: PinEngine) throws {
    try withFile(engine: engine) { machine, space, file in
      try share(space, file)
      try number(space, 0..<512)
      try collapse(space)
      let pin = try space.pin(at: hugeBase.page(4), .write)
      try space.protect(at: hugeBase, pages: 1, .read)
      try space.protect(at: hugeBase, pages: 1, .readWrite)
      #expect(space.entry(at: hugeBase.page(4)).kind == .normal)
      let pfn = try space.pfn(hugeBase.page(4))
      try collapse(space)
      #expect(space.says(hugeBase) == "huge r")
      #expect(try space.pfn(hugeBase.page(4)) == pfn)
      pin.deviceBytes.store(UInt64(9))
      #expect(try space.load(at: hugeBase.page(4), as: UInt64.self) == 9)
      pin.release(dirty: true)
    }
  }

  /// The file ends inside: its pages are in one frame, and no entry maps what lies beyond.
  @Test(arguments: Engines.all) func theEndInside(engine: PinEngine) throws {
    try withFile(pages: 100, engine: engine) { machine, space, file in
      try share(space, file)
      try number(space, 0..<50)
      try collapse(space)
      #expect(try space.firstUnnumbered(pages: 0..<50) == nil)
      #expect(try space.load(at: hugeBase.page(99), as: UInt64.self) == fill)
      #expect(throws: PageError.busError) { try space.load(at: hugeBase.page(100), as: UInt64.self) }
      #expect(file.cachedPages == 100)
      #expect(try space.pfn(hugeBase.page(99)) == (try space.pfn(hugeBase)) + 99)
      // Again: nothing to do.
      let pfn = try space.pfn(hugeBase)
      try collapse(space)
      #expect(try space.pfn(hugeBase) == pfn)
      // It grows.
      try file.setByteCount(600 * Page.size)
      try space.store(UInt64(9), at: hugeBase.page(200))
      #expect(try space.load(at: hugeBase.page(201), as: UInt64.self) == 0)
      try collapse(space)
      #expect(space.says(hugeBase) == "huge r")
      #expect(try space.load(at: hugeBase.page(200), as: UInt64.self) == 9)
      #expect(try space.firstUnnumbered(pages: 0..<50) == nil)
      // It is cut.
      try file.setByteCount(20 * Page.size)
      #expect(try space.firstUnnumbered(pages: 0..<20) == nil)
      #expect(throws: PageError.busError) { try space.load(at: hugeBase.page(20), as: UInt64.self) }
    }
  }

  // MARK: Other mappings

  @Test(arguments: Engines.all) func anotherSpace(engine: PinEngine) throws {
    try withFile(engine: engine) { machine, space, file in
      let other = AddressSpace(machine.memory, engine: engine)
      try share(space, file)
      try other.map(
        at: hugeBase, pages: 1024, protection: .readWrite, sharing: .shared, backing: .file(file), hugePages: true)
      try number(space, 0..<512)
      #expect(try other.firstUnnumbered(pages: 0..<512) == nil)
      try collapse(space)
      // Its table is gone with its entries: the next fault maps 2 MiB.
      #expect(other.says(hugeBase) == "none")
      #expect(try other.firstUnnumbered(pages: 0..<512) == nil)
      #expect(other.says(hugeBase) == "huge r" && space.says(hugeBase) == "huge r")
      try other.store(UInt64(9), at: hugeBase.page(9))
      #expect(try space.load(at: hugeBase.page(9), as: UInt64.self) == 9)
      other.exit()
    }
  }

  @Test(arguments: Engines.all) func aChild(engine: PinEngine) throws {
    try withFile(engine: engine) { machine, space, file in
      try share(space, file)
      try number(space, 0..<512)
      let child = try space.fork()
      #expect(try child.firstUnnumbered(pages: 0..<512) == nil)
      try collapse(child)
      try child.store(UInt64(9), at: hugeBase.page(9))
      #expect(try space.load(at: hugeBase.page(9), as: UInt64.self) == 9)
      child.exit()
    }
  }

  /// Aligned otherwise, it shows the same frame page by page. A private copy stays.
  @Test(arguments: Engines.all) func otherMappings(engine: PinEngine) throws {
    try withFile(engine: engine) { machine, space, file in
      try share(space, file)
      try share(space, file, at: 0x8000_0000, pages: 512, offset: 1)
      try share(space, file, at: 0x9000_0000, pages: 512, .readWrite, .private)
      try number(space, 0..<512)
      try space.store(UInt64(99), at: 0x9000_5000)
      _ = try space.load(at: 0x9000_6000, as: UInt64.self)
      _ = try space.load(at: 0x8000_4000, as: UInt64.self)
      try collapse(space)
      #expect(try space.load(at: 0x8000_4000, as: UInt64.self) == 6)
      #expect(try space.load(at: 0x9000_5000, as: UInt64.self) == 99)
      #expect(try space.load(at: 0x9000_6000, as: UInt64.self) == 7)
      #expect(space.says(hugeBase) == "huge r")
    }
  }

  @Test(arguments: Engines.all) func aPrivateMapping(engine: PinEngine) throws {
    try withFile(engine: engine) { machine, space, file in
      try share(space, file, .readWrite, .private)
      _ = try space.load(at: hugeBase, as: UInt64.self)
      try collapse(space)
      #expect(space.says(hugeBase) == "huge r")
      try space.store(UInt64(7), at: hugeBase.page(5))
      #expect(try file.read(at: 5 * Page.size, count: 1) == [0x0F])
      // Now it has a copy. That ends the advice.
      try file.write([1], at: 600 * Page.size)
      #expect(throws: PageError.invalidArgument) { try collapse(space, pages: 1024) }
      #expect(space.says(hugeBase.page(5)) == "normal rw dirty" && space.says(hugeBase.page(600)) == "none")
      #expect(try space.load(at: hugeBase.page(5), as: UInt64.self) == 7)
    }
  }
}
