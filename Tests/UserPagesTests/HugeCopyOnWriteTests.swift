import TestSupport
import Testing

@testable import UserPages

/// 2 MiB that a fork left to two owners.
@Suite struct HugeCopyOnWriteTests {
  @Test(arguments: Engines.all) func aChildSharesThemByOneEntry(engine: PinEngine) throws {
    try withHugePages(engine: engine) { machine, space in
      try space.mapNumbered(pages: 512)
      let child = try space.fork()
      #expect(space.says(hugeBase) == "huge r dirty" && child.says(hugeBase) == "huge r dirty")
      #expect(try child.firstUnnumbered(pages: 0..<512) == nil)
      let census = machine.memory.census()
      #expect(census.framesInUse == 512 && census.mapcounts == 2 && census.references == 2)
      let frame = try #require(child.frameInformation(at: hugeBase.page(9)))
      #expect(frame.mapCount == 2 && frame.referenceCount == 2 && !frame.isExclusive)
      child.exit()
    }
  }

  @Test(arguments: Engines.all) func aStoreCopiesOnePage(engine: PinEngine) throws {
    try withHugePages(engine: engine) { machine, space in
      try space.mapNumbered(pages: 512)
      let child = try space.fork()
      try child.store(UInt64(1000), at: hugeBase.page(5))
      #expect(child.counters.copies == 1)
      #expect(child.says(hugeBase.page(5)) == "normal rw dirty")
      #expect(child.says(hugeBase.page(6)) == "normal r dirty")
      #expect(space.says(hugeBase.page(5)) == "huge r dirty")
      #expect(try space.firstUnnumbered(pages: 0..<512) == nil)
      #expect(try child.load(at: hugeBase.page(5), as: UInt64.self) == 1000)
      #expect(try child.firstUnnumbered(pages: 6..<512) == nil)
      machine.memory.flushDeferredFrees()
      let census = machine.memory.census()
      #expect(census.framesInUse == 513)
      #expect(census.mapcounts == 1 + 511 + 1)
      #expect(census.references == 1 + 511 + 1)
      #expect(child.frameInformation(at: hugeBase.page(5))?.isExclusive == true)
      #expect(child.frameInformation(at: hugeBase.page(5))?.referenceCount == 1)
      // The parent's own: it copies a page as well, and the child's part of that page is another's still.
      try space.store(UInt64(2000), at: hugeBase.page(7))
      #expect(space.counters.copies == 1)
      #expect(try child.load(at: hugeBase.page(7), as: UInt64.self) == 8)
      child.exit()
    }
  }

  @Test(arguments: Engines.all) func theLastOwnerReusesAll(engine: PinEngine) throws {
    try withHugePages(engine: engine) { machine, space in
      try space.mapNumbered(pages: 512)
      let child = try space.fork()
      child.exit()
      try space.store(UInt64(7), at: hugeBase.page(100))
      #expect(space.says(hugeBase) == "huge rw dirty")
      #expect(space.counters.copies == 0)
      #expect(space.frameInformation(at: hugeBase)?.isExclusive == true)
      #expect(machine.memory.census().framesInUse == 512)
    }
  }

  @Test(arguments: Engines.all) func aChildIsTheLastOwnerWhenItsParentHasGone(engine: PinEngine) throws {
    try withHugePages(engine: engine) { machine, space in
      try space.mapNumbered(pages: 512)
      let child = try space.fork()
      space.exit()
      try child.store(UInt64(7), at: hugeBase.page(100))
      #expect(child.says(hugeBase) == "huge rw dirty" && child.counters.copies == 0)
      #expect(machine.memory.census().framesInUse == 512)
      child.exit()
    }
  }

  @Test(arguments: Engines.all) func aSplitChildFreesThePagesOneByOne(engine: PinEngine) throws {
    try withHugePages(engine: engine) { machine, space in
      try space.mapNumbered(pages: 512)
      let child = try space.fork()
      // The child copies every page of it: then the parent has the 2 MiB alone again.
      for page in 0..<512 { try child.store(UInt64(1000 + page), at: hugeBase.page(page)) }
      #expect(child.counters.copies == 512)
      try space.store(UInt64(1), at: hugeBase)
      #expect(space.says(hugeBase) == "huge rw dirty" && space.counters.copies == 0)
      #expect(try space.firstUnnumbered(pages: 0..<512) == nil)
      #expect(try child.load(at: hugeBase.page(511), as: UInt64.self) == 1511)
      #expect(machine.memory.census().framesInUse == 1024)
      child.exit()
    }
  }

  @Test func theLastPartOfAFrameIsReused() throws {
    try withHugePages { machine, space in
      try space.mapNumbered(pages: 512)
      try space.unmap(at: hugeBase, pages: 511)
      let child = try space.fork()
      child.exit()
      try space.store(UInt64(9), at: hugeBase.page(511))
      #expect(space.counters.copies == 0)
      #expect(space.says(hugeBase.page(511)) == "normal rw dirty")
      #expect(machine.memory.census().framesInUse == 512, "it is still all of the frame")
    }
  }

  @Test(arguments: Engines.all) func generations(engine: PinEngine) throws {
    try withHugePages(engine: engine) { machine, space in
      try space.mapNumbered(pages: 512)
      let child = try space.fork()
      try child.store(UInt64(77), at: hugeBase.page(1))
      // The grandchild inherits parts of a 2 MiB frame and an ordinary one.
      let grandchild = try child.fork()
      #expect(try grandchild.load(at: hugeBase.page(1), as: UInt64.self) == 77)
      #expect(try grandchild.firstUnnumbered(pages: 2..<512) == nil)
      try grandchild.store(UInt64(88), at: hugeBase.page(2))
      child.exit()
      space.exit()
      #expect(try grandchild.load(at: hugeBase.page(1), as: UInt64.self) == 77)
      #expect(try grandchild.load(at: hugeBase.page(2), as: UInt64.self) == 88)
      #expect(try grandchild.firstUnnumbered(pages: 3..<512) == nil)
      grandchild.exit()
      machine.memory.flushDeferredFrees()
      #expect(machine.memory.census().framesInUse == 0)
    }
  }

  @Test(arguments: Engines.all) func zeroesAreInherited(engine: PinEngine) throws {
    try withHugePages(engine: engine) { machine, space in
      try space.mapHuge(pages: 512)
      _ = try space.load(at: hugeBase, as: UInt64.self)
      try space.mapHuge(hugeBase.page(512), pages: 512)
      try space.store(UInt64(1), at: hugeBase.page(512))
      let child = try space.fork()
      #expect(child.says(hugeBase) == "zero r")
      try child.store(UInt64(5), at: hugeBase.page(3))
      #expect(child.says(hugeBase) == "huge rw dirty")
      #expect(try space.load(at: hugeBase.page(3), as: UInt64.self) == 0)
      child.exit()
    }
  }

  @Test func aForkOfWhatMayNotBeAccessedKeepsItSo() throws {
    try withHugePages { _, space in
      try space.mapNumbered(pages: 512)
      try space.protect(at: hugeBase, pages: 512, .none)
      let child = try space.fork()
      #expect(child.says(hugeBase) == "huge none dirty")
      #expect(throws: PageError.segmentationViolation) { try child.load(at: hugeBase, as: UInt64.self) }
      try child.protect(at: hugeBase, pages: 512, .readWrite)
      #expect(child.says(hugeBase) == "huge r dirty")
      try child.store(UInt64(9), at: hugeBase)
      try space.protect(at: hugeBase, pages: 512, .read)
      #expect(try space.firstUnnumbered(pages: 0..<512) == nil)
      child.exit()
    }
  }
}
