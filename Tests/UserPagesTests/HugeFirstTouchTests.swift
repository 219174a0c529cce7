import TestSupport
import Testing

@testable import UserPages

/// The first touch of memory that may have 2 MiB entries, and where it may not.
@Suite struct HugeFirstTouchTests {
  @Test(arguments: Engines.all) func aLoadShowsTheZeroPageByOneEntry(engine: PinEngine) throws {
    try withHugePages(engine: engine) { machine, space in
      try space.mapHuge(pages: 1024)
      for page in 0..<512 { #expect(try space.load(at: hugeBase.page(page) + 8, as: UInt64.self) == 0) }
      #expect(space.counters.faults == 1)
      #expect(space.says(hugeBase) == "zero r")
      #expect(space.says(hugeBase.page(511)) == "zero r")
      #expect(space.says(hugeBase.page(512)) == "none")
      #expect(space.frameInformation(at: hugeBase) == nil)
      let census = machine.memory.census()
      #expect(census.framesInUse == 0 && census.mapcounts == 0 && census.tableNodes == 3)
    }
  }

  @Test(arguments: Engines.all) func aStoreMakes2MiB(engine: PinEngine) throws {
    try withHugePages(engine: engine) { machine, space in
      try space.mapHuge(pages: 1024)
      try space.store(UInt64(7), at: hugeBase.page(300))
      #expect(space.counters.faults == 1 && space.counters.copies == 0)
      for page in [0, 299, 300, 511] { #expect(space.says(hugeBase.page(page)) == "huge rw dirty") }
      #expect(space.says(hugeBase.page(512)) == "none")
      #expect(try space.load(at: hugeBase.page(300), as: UInt64.self) == 7)
      #expect(try space.load(at: hugeBase.page(301), as: UInt64.self) == 0)
      #expect(
        space.frameInformation(at: hugeBase.page(5))
          == FrameInformation(
            mapCount: 1, pinCount: 0, referenceCount: 1, isAnonymous: true, isDirty: false, isExclusive: true))
      let census = machine.memory.census()
      #expect(census.framesInUse == 512 && census.mapcounts == 1 && census.references == 1 && census.tableNodes == 3)
      // The rest of it needs no fault any more, nor do bytes across pages.
      try space.store([UInt8](repeating: 9, count: 3 * Page.size), at: hugeBase.page(9) + 100)
      #expect(try space.load(at: hugeBase.page(11) + 100, count: 2) == [9, 9])
      #expect(space.counters.faults == 1)
    }
  }

  @Test(arguments: Engines.all) func aStoreAfterALoadReplacesTheZeroPage(engine: PinEngine) throws {
    try withHugePages(engine: engine) { machine, space in
      try space.mapHuge(pages: 512)
      #expect(try space.load(at: hugeBase, as: UInt64.self) == 0)
      try space.store(UInt64(7), at: hugeBase.page(3))
      #expect(space.says(hugeBase) == "huge rw dirty")
      #expect(machine.memory.census().framesInUse == 512)
      #expect(try space.load(at: hugeBase.page(4), as: UInt64.self) == 0)
    }
  }

  @Test func whereThereAreNo2MiBThePagesComeAlone() throws {
    // One block of 512, and some frames that never make one.
    try withHugePages(frames: 600) { machine, space in
      try space.mapHuge(pages: 1024)
      try space.store(UInt64(1), at: hugeBase)
      try space.store(UInt64(2), at: hugeBase.page(512))
      #expect(space.says(hugeBase) == "huge rw dirty")
      #expect(space.says(hugeBase.page(512)) == "normal rw dirty")
      #expect(space.says(hugeBase.page(513)) == "none")
      #expect(machine.memory.census().framesInUse == 513)
      // What is only waiting for a grace period comes back first.
      try space.unmap(at: hugeBase, pages: 512)
      try space.mapHuge(hugeBase.page(1024), pages: 512)
      try space.store(UInt64(3), at: hugeBase.page(1024))
      #expect(space.says(hugeBase.page(1024)) == "huge rw dirty")
    }
  }

  @Test func oneFrameInUseIsEnoughToStandInTheWay() throws {
    try withHugePages(frames: 512) { machine, space in
      try space.map(at: 0x1000, pages: 1, protection: .readWrite)
      try space.store(UInt64(1), at: 0x1000)
      try space.mapHuge(pages: 512)
      #expect(try space.load(at: hugeBase, as: UInt64.self) == 0)
      #expect(space.says(hugeBase) == "zero r")
      // The zero page is one entry, which is split for the store. Its neighbours stay.
      try space.store(UInt64(2), at: hugeBase.page(1))
      #expect(space.says(hugeBase.page(1)) == "normal rw dirty")
      #expect(space.says(hugeBase.page(2)) == "zero r")
      #expect(try space.load(at: hugeBase.page(2), as: UInt64.self) == 0)
      for page in 2..<512 {
        try tolerate { () throws(PageError) in try space.store(UInt64(3), at: hugeBase.page(page)) }
      }
      #expect(machine.memory.freePages == 0)
      #expect(throws: PageError.outOfMemory) { try space.store(UInt64(3), at: hugeBase.page(0)) }
      #expect(try space.load(at: hugeBase.page(511), as: UInt64.self) == 3)
    }
  }

  private func tolerate(_ body: () throws(PageError) -> Void) throws { _ = try tolerating(body: body) }

  @Test(arguments: Engines.all) func neverAcrossTheBorderOfAMapping(engine: PinEngine) throws {
    try withHugePages(engine: engine) { machine, space in
      // Begins one page late and ends one page early. Only what lies in the middle is covered.
      try space.mapHuge(hugeBase.page(1), pages: 1534)
      for page in [1, 512, 1024] { try space.store(UInt64(page), at: hugeBase.page(page)) }
      #expect(space.says(hugeBase.page(1)) == "normal rw dirty")
      #expect(space.says(hugeBase.page(2)) == "none")
      #expect(space.says(hugeBase.page(1023)) == "huge rw dirty")
      #expect(space.says(hugeBase.page(1024)) == "normal rw dirty")
      #expect(machine.memory.census().framesInUse == 514)
    }
  }

  @Test func neighboursWithEqualAttributesAreOneMapping() throws {
    try withHugePages { _, space in
      try space.mapHuge(hugeBase, pages: 100)
      try space.mapHuge(hugeBase.page(100), pages: 412)
      try space.store(UInt64(1), at: hugeBase.page(99))
      #expect(space.says(hugeBase.page(100)) == "huge rw dirty")
      // These differ in what they allow, and these in what they may have.
      try space.mapHuge(hugeBase.page(512), pages: 100)
      try space.mapHuge(hugeBase.page(612), pages: 412, .read)
      try space.store(UInt64(1), at: hugeBase.page(512))
      #expect(space.says(hugeBase.page(512)) == "normal rw dirty")
      try space.mapHuge(hugeBase.page(1024), pages: 100)
      try space.map(at: hugeBase.page(1124), pages: 412, protection: .readWrite)
      try space.store(UInt64(1), at: hugeBase.page(1024))
      #expect(space.says(hugeBase.page(1024)) == "normal rw dirty")
    }
  }

  @Test func onlyMappingsThatAskForThemGetThem() throws {
    try withHugePages { machine, space in
      try space.map(at: hugeBase, pages: 512, protection: .readWrite)
      try space.store(UInt64(1), at: hugeBase)
      #expect(space.says(hugeBase) == "normal rw dirty")
      #expect(machine.memory.census().framesInUse == 1)
    }
  }

  @Test func aMappingInThePlaceOfAnotherBeginsAnew() throws {
    // What was there before, page by page, is no reason against 2 MiB.
    try withHugePages { machine, space in
      try space.map(at: hugeBase, pages: 512, protection: .readWrite)
      try space.store(UInt64(1), at: hugeBase.page(7))
      try space.mapHuge(pages: 512)
      try space.store(UInt64(2), at: hugeBase.page(8))
      #expect(space.says(hugeBase) == "huge rw dirty")
      #expect(try space.load(at: hugeBase.page(7), as: UInt64.self) == 0)
      // And the other way round.
      try space.map(at: hugeBase, pages: 512, protection: .readWrite)
      try space.store(UInt64(3), at: hugeBase)
      #expect(space.says(hugeBase) == "normal rw dirty")
      machine.memory.flushDeferredFrees()
      #expect(machine.memory.census().framesInUse == 1)
    }
  }

  @Test(arguments: Engines.all) func borrowedPagesAndPopulation(engine: PinEngine) throws {
    try withHugePages(engine: engine) { _, space in
      try space.mapHuge(pages: 1024)
      try space.advise(at: hugeBase, pages: 512, .populateRead)
      #expect(space.says(hugeBase) == "zero r")
      #expect(space.counters.faults == 512, "each page is asked for, the first one answers for all")
      try space.advise(at: hugeBase, pages: 1024, .populateWrite)
      #expect(space.says(hugeBase.page(512)) == "huge rw dirty")
      try space.withPage(at: hugeBase.page(700), for: .write) { $0.store(UInt64(7)) }
      #expect(try space.withPage(at: hugeBase.page(700), for: .read) { $0.load(as: UInt64.self) } == 7)
      try space.protect(at: hugeBase, pages: 1024, .none)
      #expect(throws: PageError.segmentationViolation) { try space.withPage(at: hugeBase, for: .read) { _ in } }
    }
  }
}
