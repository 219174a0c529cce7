import TestSupport
import Testing

@testable import UserPages

/// Operations on a part of 2 MiB that one entry maps, and on all of them.
@Suite struct HugeSplitTests {
  @Test(arguments: Engines.all) func unmappingAPartLeavesTheRest(engine: PinEngine) throws {
    try withHugePages(engine: engine) { machine, space in
      try space.mapNumbered(pages: 512)
      try space.unmap(at: hugeBase.page(10), pages: 20)
      machine.memory.flushDeferredFrees()
      #expect(space.says(hugeBase.page(9)) == "normal rw dirty" && space.says(hugeBase.page(10)) == "none")
      #expect(try space.firstUnnumbered(pages: 0..<10) == nil)
      #expect(try space.firstUnnumbered(pages: 30..<512) == nil)
      #expect(throws: PageError.segmentationViolation) { try space.load(at: hugeBase.page(29), as: UInt8.self) }
      var census = machine.memory.census()
      #expect(census.framesInUse == 512 && census.mapcounts == 492 && census.references == 492)
      #expect(census.tableNodes == 4)
      try space.store(UInt64(7), at: hugeBase)
      #expect(space.counters.faults == 1 && space.counters.copies == 0)
      // The frame goes with the last of its parts.
      try space.unmap(at: hugeBase, pages: 511)
      machine.memory.flushDeferredFrees()
      #expect(machine.memory.census().framesInUse == 512)
      try space.unmap(at: hugeBase.page(511), pages: 1)
      // Takes the node of the third level, which no operation in a stripe does.
      space.exit()
      machine.memory.flushDeferredFrees()
      census = machine.memory.census()
      #expect(census.framesInUse == 0 && census.references == 0 && census.tableNodes == 1)
    }
  }

  @Test(arguments: Engines.all) func aRangeAcrossSeveral(engine: PinEngine) throws {
    try withHugePages(engine: engine) { machine, space in
      try space.mapNumbered(pages: 1536)
      try space.unmap(at: hugeBase.page(500), pages: 600)
      machine.memory.flushDeferredFrees()
      #expect(machine.memory.census().framesInUse == 1024)
      #expect(machine.memory.census().mapcounts == 500 + 436)
      #expect(try space.firstUnnumbered(pages: 0..<500) == nil)
      #expect(try space.firstUnnumbered(pages: 1100..<1536) == nil)
    }
  }

  @Test(arguments: Engines.all) func protectingAPart(engine: PinEngine) throws {
    try withHugePages(engine: engine) { machine, space in
      try space.mapNumbered(pages: 512)
      try space.protect(at: hugeBase.page(100), pages: 50, .read)
      #expect(space.says(hugeBase.page(99)) == "normal rw dirty")
      #expect(space.says(hugeBase.page(100)) == "normal r dirty")
      #expect(throws: PageError.segmentationViolation) { try space.store(UInt8(1), at: hugeBase.page(149)) }
      try space.store(UInt64(151), at: hugeBase.page(150))
      try space.protect(at: hugeBase.page(100), pages: 50, .none)
      #expect(space.says(hugeBase.page(100)) == "normal none dirty")
      #expect(throws: PageError.segmentationViolation) { try space.load(at: hugeBase.page(100), as: UInt8.self) }
      try space.protect(at: hugeBase.page(100), pages: 50, .readWrite)
      #expect(space.says(hugeBase.page(100)) == "normal rw dirty")
      #expect(try space.firstUnnumbered(pages: 0..<512) == nil)
      #expect(machine.memory.census().framesInUse == 512 && space.counters.copies == 0)
    }
  }

  @Test(arguments: Engines.all) func protectingAllKeepsOneEntry(engine: PinEngine) throws {
    try withHugePages(engine: engine) { machine, space in
      try space.mapNumbered(pages: 512)
      for (protection, text) in [
        (Protection.read, "huge r dirty"), (.none, "huge none dirty"), (.readWrite, "huge rw dirty"),
      ] {
        try space.protect(at: hugeBase, pages: 512, protection)
        #expect(space.says(hugeBase) == text)
      }
      try space.store(UInt64(1), at: hugeBase)
      #expect(machine.memory.census().tableNodes == 3)
    }
  }

  @Test(arguments: Engines.all) func forgettingAPartAndAll(engine: PinEngine) throws {
    try withHugePages(engine: engine) { machine, space in
      try space.mapNumbered(pages: 512)
      try space.advise(at: hugeBase.page(10), pages: 2, .dontNeed)
      #expect(space.says(hugeBase.page(10)) == "none" && space.says(hugeBase.page(12)) == "normal rw dirty")
      #expect(try space.load(at: hugeBase.page(10), as: UInt64.self) == 0)
      #expect(space.says(hugeBase.page(10)) == "zero r")
      try space.store(UInt64(5), at: hugeBase.page(11))
      #expect(machine.memory.census().framesInUse == 513)
      try space.mapNumbered(hugeBase.page(512), pages: 512)
      try space.advise(at: hugeBase.page(512), pages: 512, .dontNeed)
      #expect(space.says(hugeBase.page(512)) == "none")
      #expect(try space.load(at: hugeBase.page(700), as: UInt64.self) == 0)
      #expect(space.says(hugeBase.page(512)) == "zero r")
      try space.store(UInt64(5), at: hugeBase.page(512))
      #expect(space.says(hugeBase.page(512)) == "huge rw dirty")
    }
  }

  @Test(arguments: Engines.all) func zeroesAreSplitToo(engine: PinEngine) throws {
    try withHugePages(engine: engine) { machine, space in
      try space.mapHuge(pages: 512)
      _ = try space.load(at: hugeBase, as: UInt8.self)
      try space.unmap(at: hugeBase.page(10), pages: 1)
      #expect(space.says(hugeBase.page(9)) == "zero r" && space.says(hugeBase.page(10)) == "none")
      #expect(machine.memory.census().mapcounts == 0)
      for page in [0, 9, 11, 511] { #expect(try space.load(at: hugeBase.page(page), as: UInt64.self) == 0) }
      try space.store(UInt64(5), at: hugeBase.page(11))
      #expect(machine.memory.census().framesInUse == 1)
    }
  }

  @Test(arguments: Engines.all) func aPartThatAChildDoesNotInherit(engine: PinEngine) throws {
    try withHugePages(engine: engine) { machine, space in
      try space.mapNumbered(pages: 1024)
      try space.advise(at: hugeBase.page(100), pages: 512, .dontFork)
      let child = try space.fork()
      #expect(try child.firstUnnumbered(pages: 0..<100) == nil)
      #expect(try child.firstUnnumbered(pages: 612..<1024) == nil)
      #expect(throws: PageError.segmentationViolation) { try child.load(at: hugeBase.page(100), as: UInt8.self) }
      #expect(space.says(hugeBase.page(100)) == "normal rw dirty", "not shared, not write-protected")
      #expect(space.says(hugeBase.page(99)) == "normal r dirty")
      #expect(try space.firstUnnumbered(pages: 0..<1024) == nil)
      child.exit()
      machine.memory.flushDeferredFrees()
      #expect(machine.memory.census().mapcounts == 1024)
    }
  }

  @Test(arguments: Engines.all) func mappingOverAPart(engine: PinEngine) throws {
    try withHugePages(engine: engine) { machine, space in
      try space.mapNumbered(pages: 512)
      try space.map(at: hugeBase.page(100), pages: 100, protection: .read)
      #expect(try space.load(at: hugeBase.page(100), as: UInt64.self) == 0)
      #expect(try space.firstUnnumbered(pages: 0..<100) == nil)
      #expect(try space.firstUnnumbered(pages: 200..<512) == nil)
      // A child of such a mixture.
      let child = try space.fork()
      #expect(try child.firstUnnumbered(pages: 200..<512) == nil)
      try child.store(UInt64(1), at: hugeBase.page(300))
      #expect(try space.firstUnnumbered(pages: 200..<512) == nil)
      child.exit()
    }
  }

  @Test(arguments: Engines.all) func aPinnedPartSurvivesEverySplit(engine: PinEngine) throws {
    try withHugePages(engine: engine) { machine, space in
      try space.mapNumbered(pages: 512)
      let pin = try space.pin(at: hugeBase.page(50), .write)
      try space.protect(at: hugeBase.page(10), pages: 10, .read)
      try space.advise(at: hugeBase.page(10), pages: 5, .dontNeed)
      try space.unmap(at: hugeBase.page(100), pages: 100)
      #expect(space.frameInformation(at: hugeBase.page(50))?.pinCount == 1)
      pin.deviceBytes.store(UInt64(4444))
      #expect(try space.load(at: hugeBase.page(50), as: UInt64.self) == 4444)
      try space.store(UInt64(5555), at: hugeBase.page(50))
      #expect(pin.deviceBytes.load(as: UInt64.self) == 5555)
      pin.release()
      #expect(space.frameInformation(at: hugeBase.page(50))?.pinCount == 0)
    }
  }
}
