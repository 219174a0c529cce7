import TestSupport
import Testing

@testable import UserPages

/// Pages that become 2 MiB (`madvise(MADV_COLLAPSE)`).
@Suite struct HugeCollapseTests {
  private func mapSmall(_ space: AddressSpace, pages: Int, touched: Range<Int>) throws {
    try space.map(at: hugeBase, pages: pages, protection: .readWrite)
    for page in touched { try space.store(UInt64(page + 1), at: hugeBase.page(page)) }
  }

  private func collapse(_ space: AddressSpace, pages: Int = 512) throws(PageError) {
    try space.advise(at: hugeBase, pages: pages, .collapse)
  }

  @Test(arguments: Engines.all) func pagesBecomeOne(engine: PinEngine) throws {
    try withHugePages(engine: engine) { machine, space in
      try mapSmall(space, pages: 1024, touched: 0..<1024)
      try collapse(space, pages: 1024)
      machine.memory.flushDeferredFrees()
      #expect(space.says(hugeBase) == "huge rw dirty" && space.says(hugeBase.page(1023)) == "huge rw dirty")
      #expect(try space.firstUnnumbered(pages: 0..<1024) == nil)
      let census = machine.memory.census()
      #expect(census.framesInUse == 1024 && census.mapcounts == 2 && census.references == 2 && census.tableNodes == 3)
      #expect(space.frameInformation(at: hugeBase.page(9))?.isExclusive == true)
      // Again: nothing to do.
      try collapse(space, pages: 1024)
      #expect(machine.memory.census() == census)
    }
  }

  @Test(arguments: Engines.all) func zeroesAndHolesBecomeZeroes(engine: PinEngine) throws {
    try withHugePages(engine: engine) { machine, space in
      try mapSmall(space, pages: 512, touched: 100..<110)
      _ = try space.load(at: hugeBase.page(200), as: UInt8.self)
      try collapse(space)
      #expect(space.says(hugeBase) == "huge rw dirty")
      #expect(try space.firstUnnumbered(pages: 100..<110) == nil)
      for page in [0, 99, 110, 200, 511] { #expect(try space.load(at: hugeBase.page(page), as: UInt64.self) == 0) }
      machine.memory.flushDeferredFrees()
      #expect(machine.memory.census().framesInUse == 512)
    }
  }

  @Test(arguments: Engines.all) func permissionsStay(engine: PinEngine) throws {
    try withHugePages(engine: engine) { _, space in
      try mapSmall(space, pages: 512, touched: 0..<512)
      try space.protect(at: hugeBase, pages: 512, .none)
      try collapse(space)
      #expect(space.says(hugeBase) == "huge none dirty")
      #expect(throws: PageError.segmentationViolation) { try space.load(at: hugeBase, as: UInt8.self) }
      try space.protect(at: hugeBase, pages: 512, .read)
      #expect(try space.firstUnnumbered(pages: 0..<512) == nil)
      try space.protect(at: hugeBase, pages: 1, .readWrite)
      // Two mappings, none with room for 2 MiB.
      #expect(throws: PageError.invalidArgument) { try collapse(space) }
    }
  }

  @Test func aMappingWithoutRoomIsRefused() throws {
    try withHugePages { machine, space in
      try mapSmall(space, pages: 511, touched: 0..<5)
      #expect(throws: PageError.invalidArgument) { try space.advise(at: hugeBase, pages: 511, .collapse) }
      #expect(throws: PageError.outOfMemory) { try space.advise(at: 0x8000_0000, pages: 512, .collapse) }
      // Nothing was ever touched.
      try space.unmap(at: hugeBase, pages: 511)
      try space.map(at: hugeBase, pages: 1024, protection: .readWrite)
      #expect(throws: PageError.invalidArgument) { try collapse(space) }
      try space.store(UInt64(1), at: hugeBase.page(600))
      #expect(throws: PageError.invalidArgument) { try collapse(space, pages: 1024) }
      #expect(space.says(hugeBase.page(600)) == "normal rw dirty", "what has no table ends the advice")
      try space.store(UInt64(1), at: hugeBase)
      try collapse(space, pages: 1024)
      // An image, a device. A file's pages: `HugeFileCollapseTests`.
      let image = try Image(machine.memory, pages: 512) { _ in 1 }
      for kind in [MappingKind.mixed(image), .pfn(image)] {
        try space.map(at: hugeBase, pages: 512, protection: .readWrite, backing: kind)
        _ = try space.load(at: hugeBase, as: UInt8.self)
        #expect(throws: PageError.invalidArgument) { try collapse(space) }
        #expect(try space.load(at: hugeBase, as: UInt8.self) == 1)
      }
    }
  }

  @Test(arguments: Engines.all) func whatIsHeldStays(engine: PinEngine) throws {
    let options: [PinOptions] = [[], .write, [.write, .longTerm], .get, [.get, .write]]
    try withHugePages(engine: engine) { machine, space in
      try mapSmall(space, pages: 512, touched: 0..<512)
      for option in options {
        let pin = try space.pin(at: hugeBase.page(5), option)
        #expect(throws: PageError.tryAgain, "\(option)") { try collapse(space) }
        #expect(space.says(hugeBase) == "normal rw dirty")
        #expect(try space.firstUnnumbered(pages: 0..<512) == nil)
        #expect(try space.pfn(hugeBase.page(5)) == pin.pfn)
        pin.release()
      }
      #expect(machine.memory.census().framesInUse == 512)
      try collapse(space)
      #expect(space.says(hugeBase) == "huge rw dirty")
    }
  }

  @Test(arguments: Engines.all) func aHeldPartOf2MiBStaysToo(engine: PinEngine) throws {
    try withHugePages(engine: engine) { machine, space in
      try space.mapNumbered(pages: 512)
      try space.advise(at: hugeBase.page(9), pages: 1, .dontNeed)
      for option in [PinOptions.write, .get] {
        let pin = try space.pin(at: hugeBase.page(5), option)
        #expect(throws: PageError.tryAgain) { try collapse(space) }
        pin.release()
      }
      try collapse(space)
      #expect(space.says(hugeBase) == "huge rw dirty")
      #expect(try space.firstUnnumbered(pages: 0..<9) == nil)
      #expect(try space.firstUnnumbered(pages: 10..<512) == nil)
      machine.memory.flushDeferredFrees()
      #expect(machine.memory.census().framesInUse == 512)
    }
  }

  @Test(arguments: Engines.all) func oneHeldPageKeepsItsOwn2MiBOnly(engine: PinEngine) throws {
    try withHugePages(frames: 6 * 512, engine: engine) { machine, space in
      try mapSmall(space, pages: 1536, touched: 0..<1536)
      let pin = try space.pin(at: hugeBase.page(600), .write)
      #expect(throws: PageError.tryAgain) { try collapse(space, pages: 1536) }
      #expect(space.says(hugeBase) == "huge rw dirty" && space.says(hugeBase.page(1024)) == "huge rw dirty")
      #expect(space.says(hugeBase.page(512)) == "normal rw dirty")
      #expect(try space.firstUnnumbered(pages: 0..<1536) == nil)
      pin.release()
    }
  }

  @Test(arguments: Engines.all) func whatAForkLeftSharedBecomesOnesOwn(engine: PinEngine) throws {
    try withHugePages(engine: engine) { machine, space in
      try mapSmall(space, pages: 512, touched: 0..<512)
      let child = try space.fork()
      try collapse(space)
      #expect(space.says(hugeBase) == "huge rw dirty" && child.says(hugeBase) == "normal r dirty")
      try space.store(UInt64(1000), at: hugeBase.page(5))
      #expect(try child.firstUnnumbered(pages: 0..<512) == nil)
      try collapse(child)
      try child.store(UInt64(2000), at: hugeBase.page(6))
      #expect(try space.load(at: hugeBase.page(6), as: UInt64.self) == 7)
      #expect(try child.load(at: hugeBase.page(5), as: UInt64.self) == 6)
      machine.memory.flushDeferredFrees()
      #expect(machine.memory.census().framesInUse == 1024)
      child.exit()
    }
  }

  @Test(arguments: Engines.all) func partsOfASharedFrameBecomeOnesOwn(engine: PinEngine) throws {
    try withHugePages(engine: engine) { machine, space in
      try space.mapNumbered(pages: 512)
      let child = try space.fork()
      try child.store(UInt64(1000), at: hugeBase.page(5))
      try collapse(child)
      #expect(child.says(hugeBase) == "huge rw dirty" && space.says(hugeBase) == "huge r dirty")
      #expect(try child.load(at: hugeBase.page(5), as: UInt64.self) == 1000)
      #expect(try child.firstUnnumbered(pages: 6..<512) == nil)
      machine.memory.flushDeferredFrees()
      try space.store(UInt64(7), at: hugeBase)
      #expect(space.says(hugeBase) == "huge rw dirty" && space.counters.copies == 0)
      #expect(machine.memory.census().framesInUse == 1024)
      child.exit()
    }
  }

  @Test func thereMustBe2MiBInOnePiece() throws {
    try withHugePages(frames: 1000) { machine, space in
      try mapSmall(space, pages: 512, touched: 0..<512)
      #expect(throws: PageError.outOfMemory) { try collapse(space) }
      #expect(try space.firstUnnumbered(pages: 0..<512) == nil)
      #expect(machine.memory.census().framesInUse == 512)
      // What stands in the way of all else is said first: there is nothing to collapse.
      try space.map(at: 0x8000_0000, pages: 512, protection: .readWrite)
      #expect(throws: PageError.invalidArgument) { try space.advise(at: 0x8000_0000, pages: 512, .collapse) }
    }
  }

  @Test(arguments: Engines.all) func pinsAfterwards(engine: PinEngine) throws {
    try withHugePages(engine: engine) { machine, space in
      try mapSmall(space, pages: 512, touched: 0..<512)
      try collapse(space)
      let pins = try space.pin(at: hugeBase, pages: 512, .write)
      #expect(machine.memory.census().pins == 1)
      pins.deviceBytes(at: 7).store(UInt64(77))
      try collapse(space)
      #expect(try space.load(at: hugeBase.page(7), as: UInt64.self) == 77)
      pins.release()
    }
  }
}
