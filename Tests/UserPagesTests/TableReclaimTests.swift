import TestSupport
import Testing

@testable import UserPages

/// Tables that `dontneed` has emptied (PT_RECLAIM).
@Suite struct TableReclaimTests {
  /// Maps 4 MiB. The first 2 MiB have a table with two pages.
  private func mapWithTable(_ space: AddressSpace) throws {
    try space.mapHuge(pages: 1024)
    try space.store(UInt64(1), at: hugeBase)
    try space.advise(at: hugeBase.page(9), pages: 510 - 9, .dontNeed)
    #expect(space.says(hugeBase) == "normal rw dirty" && space.says(hugeBase.page(9)) == "none")
  }

  @Test(arguments: Engines.all) func adviceOverAWholeTableFreesIt(engine: PinEngine) throws {
    try withHugePages(engine: engine) { machine, space in
      try mapWithTable(space)
      machine.memory.flushDeferredFrees()
      let before = machine.memory.census().tableNodes
      try space.advise(at: hugeBase, pages: 512, .dontNeed)
      machine.memory.flushDeferredFrees()
      #expect(machine.memory.census().tableNodes == before - 1)
      #expect(space.says(hugeBase) == "none")
      try space.store(UInt64(2), at: hugeBase.page(7))
      #expect(space.says(hugeBase) == "huge rw dirty")
      #expect(try space.load(at: hugeBase, as: UInt64.self) == 0)
    }
  }

  @Test(arguments: Engines.all) func twoHalvesLeaveTheTable(engine: PinEngine) throws {
    try withHugePages(engine: engine) { _, space in
      try mapWithTable(space)
      try space.advise(at: hugeBase, pages: 256, .dontNeed)
      try space.advise(at: hugeBase.page(256), pages: 256, .dontNeed)
      try space.store(UInt64(2), at: hugeBase)
      #expect(space.says(hugeBase) == "normal rw dirty" && space.says(hugeBase.page(1)) == "none")
    }
  }

  /// The advice is taken for each mapping alone, and neither covers 2 MiB.
  @Test(arguments: Engines.all) func aTableOfTwoMappingsStays(engine: PinEngine) throws {
    try withHugePages(engine: engine) { _, space in
      try mapWithTable(space)
      try space.protect(at: hugeBase, pages: 256, .read)
      try space.advise(at: hugeBase, pages: 512, .dontNeed)
      try space.protect(at: hugeBase, pages: 256, .readWrite)
      try space.store(UInt64(2), at: hugeBase)
      #expect(space.says(hugeBase) == "normal rw dirty")
    }
  }

  @Test(arguments: Engines.all) func aGuardKeepsTheTable(engine: PinEngine) throws {
    try withHugePages(engine: engine) { _, space in
      try mapWithTable(space)
      try space.advise(at: hugeBase.page(3), pages: 1, .guardInstall)
      try space.advise(at: hugeBase, pages: 512, .dontNeed)
      #expect(space.says(hugeBase.page(3)) == "guard")
      try space.store(UInt64(2), at: hugeBase)
      #expect(space.says(hugeBase) == "normal rw dirty")
    }
  }

  /// Only the tables that the range covers whole.
  @Test(arguments: Engines.all) func neighboursStay(engine: PinEngine) throws {
    try withHugePages(engine: engine) { _, space in
      try mapWithTable(space)
      try space.store(UInt64(3), at: hugeBase.page(600))
      try space.advise(at: hugeBase.page(610), pages: 1, .dontNeed)
      try space.advise(at: hugeBase, pages: 700, .dontNeed)
      try space.store(UInt64(2), at: hugeBase)
      try space.store(UInt64(2), at: hugeBase.page(600))
      #expect(space.says(hugeBase) == "huge rw dirty" && space.says(hugeBase.page(600)) == "normal rw dirty")
    }
  }

  /// The advice ends at a locked mapping. What comes before is advised, and its table goes.
  @Test(arguments: Engines.all) func aRefusedPartEndsIt(engine: PinEngine) throws {
    try withHugePages(engine: engine) { _, space in
      try space.mapHuge(pages: 1024)
      try space.store(UInt64(1), at: hugeBase)
      try space.store(UInt64(1), at: hugeBase.page(512))
      try space.advise(at: hugeBase.page(9), pages: 1, .dontNeed)
      try space.advise(at: hugeBase.page(600), pages: 1, .dontNeed)
      try space.advise(at: hugeBase.page(512), pages: 512, .dontNeed)
      try space.lock(at: hugeBase.page(512), pages: 512)
      #expect(throws: PageError.invalidArgument) { try space.advise(at: hugeBase, pages: 1024, .dontNeed) }
      try space.store(UInt64(2), at: hugeBase)
      #expect(space.says(hugeBase) == "huge rw dirty")
    }
  }

  /// A private mapping of a file has a table once it has a page of its own. Without the table it shows the file's 2 MiB
  /// again.
  @Test(arguments: Engines.all) func aFilesTableGoesToo(engine: PinEngine) throws {
    try withHugePages(engine: engine) { machine, space in
      let file = try PageCacheFile(machine.memory, pages: 512, fill: 5)
      try space.map(
        at: hugeBase, pages: 512, protection: .readWrite, sharing: .private, backing: .file(file), hugePages: true)
      #expect(try space.load(at: hugeBase, as: UInt8.self) == 5)
      #expect(space.says(hugeBase) == "huge r")
      try space.store(UInt8(6), at: hugeBase.page(3))
      #expect(space.says(hugeBase.page(3)) == "normal rw dirty")
      for half in [0, 256] { try space.advise(at: hugeBase.page(half), pages: 256, .dontNeed) }
      #expect(try space.load(at: hugeBase.page(3), as: UInt8.self) == 5)
      #expect(space.says(hugeBase.page(3)) == "normal r")
      try space.advise(at: hugeBase, pages: 512, .dontNeed)
      #expect(try space.load(at: hugeBase.page(3), as: UInt8.self) == 5)
      #expect(space.says(hugeBase.page(3)) == "huge r")
      space.exit()
      file.drop()
    }
  }
}
