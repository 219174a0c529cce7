import TestSupport
import Testing

@testable import UserPages

/// 2 MiB that move.
@Suite struct HugeRemapTests {
  private let target: VirtualAddress = 0x8000_0000

  @Test(arguments: Engines.all) func alignedTheyMoveByOneEntry(engine: PinEngine) throws {
    try withHugePages(engine: engine) { machine, space in
      try space.mapNumbered(pages: 1024)
      let pin = try space.pin(at: hugeBase.page(5), .write)
      try space.remap(at: hugeBase, pages: 1024, to: target, newPages: 1024)
      #expect(space.says(target) == "huge rw dirty" && space.says(target.page(1023)) == "huge rw dirty")
      #expect(space.says(hugeBase) == "none")
      #expect(throws: PageError.segmentationViolation) { try space.load(at: hugeBase, as: UInt8.self) }
      #expect(try space.firstUnnumbered(target, pages: 0..<1024) == nil)
      #expect(try space.pfn(target.page(5)) == pin.pfn)
      pin.deviceBytes.store(UInt64(7))
      #expect(try space.load(at: target.page(5), as: UInt64.self) == 7)
      pin.release()
      machine.memory.flushDeferredFrees()
      let census = machine.memory.census()
      #expect(census.framesInUse == 1024 && census.mapcounts == 2 && census.references == 2)
    }
  }

  /// The old range stays mapped. No node is left there, so a first touch maps 2 MiB again.
  @Test(arguments: Engines.all) func theOldRangeIsEmptyAndHugeAgain(engine: PinEngine) throws {
    try withHugePages(engine: engine) { machine, space in
      try space.mapNumbered(pages: 1024)
      // The first 2 MiB are mapped page by page.
      try space.protect(at: hugeBase, pages: 1, .read)
      try space.protect(at: hugeBase, pages: 1, .readWrite)
      #expect(space.says(hugeBase) == "normal rw dirty" && space.says(hugeBase.page(512)) == "huge rw dirty")
      try space.remap(at: hugeBase, pages: 1024, to: target, newPages: 1024, unmapsOldRange: false)
      #expect(try space.firstUnnumbered(target, pages: 0..<1024) == nil)
      #expect(space.says(target.page(512)) == "huge rw dirty")
      #expect(space.says(hugeBase) == "none" && space.says(hugeBase.page(512)) == "none")
      for page in [0, 512] {
        try space.store(UInt64(9), at: hugeBase.page(page + 1))
        #expect(space.says(hugeBase.page(page)) == "huge rw dirty")
      }
      #expect(try space.load(at: target.page(1), as: UInt64.self) == 2)
      machine.memory.flushDeferredFrees()
      #expect(machine.memory.census().framesInUse == 2048)
    }
  }

  @Test(arguments: Engines.all) func unalignedTheyMovePageByPage(engine: PinEngine) throws {
    try withHugePages(engine: engine) { machine, space in
      try space.mapNumbered(pages: 1024)
      let pin = try space.pin(at: hugeBase.page(5), .write)
      try space.remap(at: hugeBase, pages: 1024, to: target.page(1), newPages: 1024)
      #expect(space.says(target.page(1)) == "normal rw dirty")
      #expect(try space.firstUnnumbered(target.page(1), pages: 0..<1024) == nil)
      #expect(try space.pfn(target.page(6)) == pin.pfn)
      machine.memory.flushDeferredFrees()
      #expect(machine.memory.census().framesInUse == 1024)
      #expect(machine.memory.census().mapcounts == 1024)
      #expect(space.frameInformation(at: target.page(100))?.pinCount == 1)
      pin.release()
      // Back where they could be whole: they are not, until they are collapsed.
      try space.remap(at: target.page(1), pages: 1024, to: hugeBase, newPages: 1024)
      #expect(space.says(hugeBase) == "normal rw dirty")
      #expect(try space.firstUnnumbered(pages: 0..<1024) == nil)
      try space.advise(at: hugeBase, pages: 1024, .collapse)
      #expect(space.says(hugeBase) == "huge rw dirty")
      #expect(try space.firstUnnumbered(pages: 0..<1024) == nil)
      machine.memory.flushDeferredFrees()
      #expect(machine.memory.census().framesInUse == 1024)
    }
  }

  @Test(arguments: Engines.all) func partsMove(engine: PinEngine) throws {
    try withHugePages(engine: engine) { machine, space in
      try space.mapNumbered(pages: 1024)
      // The end of one and the beginning of the next, to a place that is aligned otherwise.
      try space.remap(at: hugeBase.page(500), pages: 100, to: target.page(500), newPages: 100)
      for page in 500..<600 { #expect(try space.load(at: target.page(page), as: UInt64.self) == UInt64(page + 1)) }
      #expect(try space.firstUnnumbered(pages: 0..<500) == nil)
      #expect(try space.firstUnnumbered(pages: 600..<1024) == nil)
      machine.memory.flushDeferredFrees()
      #expect(machine.memory.census().mapcounts == 1024 && machine.memory.census().framesInUse == 1024)
      // One of the two frames is now mapped in two places.
      try space.unmap(at: hugeBase, pages: 512)
      machine.memory.flushDeferredFrees()
      #expect(machine.memory.census().framesInUse == 1024)
      try space.unmap(at: target.page(500), pages: 12)
      machine.memory.flushDeferredFrees()
      #expect(machine.memory.census().framesInUse == 512)
    }
  }

  @Test(arguments: Engines.all) func ontoAPlaceWithANodeAndOntoAnotherOne(engine: PinEngine) throws {
    try withHugePages(engine: engine) { machine, space in
      try space.mapNumbered(pages: 512)
      // Pages of its neighbour and its own have a node there.
      try space.map(at: target, pages: 10, protection: .readWrite)
      try space.store(UInt64(1), at: target.page(3))
      try space.remap(at: hugeBase, pages: 512, to: target, newPages: 512)
      #expect(try space.firstUnnumbered(target, pages: 0..<512) == nil)
      machine.memory.flushDeferredFrees()
      #expect(machine.memory.census().framesInUse == 512)
      // And 2 MiB onto 2 MiB.
      try space.mapHuge(target.page(512), pages: 512)
      try space.store(UInt64(1), at: target.page(512))
      try space.mapNumbered(hugeBase, pages: 512)
      try space.remap(at: hugeBase, pages: 512, to: target.page(512), newPages: 512)
      #expect(space.says(target.page(512)) == "huge rw dirty")
      #expect(try space.firstUnnumbered(target.page(512), pages: 0..<512) == nil)
      machine.memory.flushDeferredFrees()
      #expect(machine.memory.census().framesInUse == 1024)
    }
  }

  @Test(arguments: Engines.all) func ontoAPartOfAnother(engine: PinEngine) throws {
    try withHugePages(engine: engine) { machine, space in
      try space.mapNumbered(target, pages: 1024)
      try space.mapNumbered(hugeBase, pages: 512)
      try space.remap(at: hugeBase, pages: 512, to: target.page(256), newPages: 512)
      #expect(try space.firstUnnumbered(target, pages: 0..<256) == nil)
      #expect(try space.firstUnnumbered(target, pages: 768..<1024) == nil)
      #expect(try space.firstUnnumbered(target.page(256), pages: 0..<512) == nil)
      machine.memory.flushDeferredFrees()
      #expect(machine.memory.census().framesInUse == 1536 && machine.memory.census().mapcounts == 1024)
    }
  }

  @Test(arguments: Engines.all) func growingAndShrinking(engine: PinEngine) throws {
    try withHugePages(engine: engine) { machine, space in
      try space.mapNumbered(pages: 512)
      try space.remap(at: hugeBase, pages: 512, to: target, newPages: 1024)
      #expect(space.says(target) == "huge rw dirty")
      try space.store(UInt64(9), at: target.page(600))
      #expect(space.says(target.page(600)) == "huge rw dirty")
      try space.remap(at: target, pages: 1024, to: target, newPages: 700)
      #expect(space.says(target.page(600)) == "normal rw dirty" && space.says(target.page(700)) == "none")
      try space.remap(at: target, pages: 700, to: hugeBase, newPages: 300)
      #expect(try space.firstUnnumbered(pages: 0..<300) == nil)
      machine.memory.flushDeferredFrees()
      #expect(machine.memory.census().framesInUse == 512 && machine.memory.census().mapcounts == 300)
    }
  }

  @Test(arguments: Engines.all) func zeroesAndSharedOnesMove(engine: PinEngine) throws {
    try withHugePages(engine: engine) { machine, space in
      try space.mapNumbered(pages: 512)
      try space.mapHuge(hugeBase.page(512), pages: 512)
      _ = try space.load(at: hugeBase.page(512), as: UInt8.self)
      let child = try space.fork()
      try child.remap(at: hugeBase, pages: 1024, to: target, newPages: 1024)
      #expect(child.says(target) == "huge r dirty" && child.says(target.page(512)) == "zero r")
      #expect(try child.firstUnnumbered(target, pages: 0..<512) == nil)
      try child.remap(at: target, pages: 1024, to: hugeBase.page(3), newPages: 1024)
      #expect(child.says(hugeBase.page(3)) == "normal r dirty" && child.says(hugeBase.page(515)) == "zero r")
      try child.store(UInt64(7), at: hugeBase.page(3))
      #expect(try space.firstUnnumbered(pages: 0..<512) == nil)
      #expect(try child.firstUnnumbered(hugeBase.page(3), pages: 1..<512) == nil)
      child.exit()
    }
  }
}
