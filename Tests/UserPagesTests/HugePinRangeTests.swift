import TestSupport
import Testing

@testable import UserPages

/// Pins of many pages at once, where 2 MiB are one count.
@Suite struct HugePinRangeTests {
  @Test(arguments: Engines.all) func aWholeOneIsOneCount(engine: PinEngine) throws {
    try withHugePages(engine: engine) { machine, space in
      try space.mapNumbered(pages: 512)
      let first = try space.pfn(hugeBase)
      let before = space.counters
      let pins = try space.pin(at: hugeBase + 5, pages: 512, .write)
      #expect(pins.count == 512)
      for index in 0..<512 {
        #expect(pins.pfn(at: index) == first + index)
        #expect(pins.deviceBytes(at: index).load(as: UInt64.self) == UInt64(index + 1))
      }
      let census = machine.memory.census()
      #expect(census.pins == 1 && census.references == 2)
      #expect(space.frameInformation(at: hugeBase.page(99))?.pinCount == 1)
      let path = engine == .locked ? space.counters.slow - before.slow : space.counters.fast - before.fast
      #expect(path == 512)
      pins.release()
      #expect(machine.memory.census().pins == 0 && machine.memory.census().references == 1)
    }
  }

  @Test(arguments: Engines.all) func partsOfNeighboursAreACountEach(engine: PinEngine) throws {
    try withHugePages(engine: engine) { machine, space in
      try space.mapNumbered(pages: 1024)
      let pins = try space.pin(at: hugeBase.page(500), pages: 100, .write)
      #expect(pins.count == 100)
      for index in 0..<100 { #expect(pins.deviceBytes(at: index).load(as: UInt64.self) == UInt64(501 + index)) }
      #expect(machine.memory.census().pins == 2)
      pins.release(dirty: true)
      #expect(space.frameInformation(at: hugeBase.page(500))?.isDirty == true)
      #expect(space.frameInformation(at: hugeBase.page(599))?.isDirty == true)
      #expect(space.frameInformation(at: hugeBase.page(499))?.isDirty == false)
      // The first frame's flag speaks for all of its 2 MiB.
      #expect(space.frameInformation(at: hugeBase.page(600))?.isDirty == true)
    }
  }

  /// 2 MiB whole, 2 MiB in parts with three pages of other frames in between, ordinary pages, and 2 MiB whole.
  private func mixture(_ space: AddressSpace) throws {
    try space.mapNumbered(pages: 2048)
    try space.advise(at: hugeBase.page(512 + 100), pages: 3, .dontNeed)
    try space.map(at: hugeBase.page(1024), pages: 512, protection: .readWrite)
    for page in Array(612..<615) + Array(1024..<1536) { try space.store(UInt64(page + 1), at: hugeBase.page(page)) }
    #expect(space.says(hugeBase) == "huge rw dirty")
    #expect(space.says(hugeBase.page(512)) == "normal rw dirty")
    #expect(space.says(hugeBase.page(613)) == "normal rw dirty")
    #expect(space.says(hugeBase.page(1536)) == "huge rw dirty")
    #expect(try space.firstUnnumbered(pages: 0..<2048) == nil)
  }

  @Test(arguments: Engines.all) func indicesOverAMixture(engine: PinEngine) throws {
    try withHugePages(frames: 6 * 512, engine: engine) { machine, space in
      try mixture(space)
      // Frame by frame, for comparison.
      let frames = try (0..<2048).map { try space.pfn(hugeBase.page($0)) }
      #expect(Set(frames).count == 2048)
      for (first, count) in [(0, 2048), (1, 2046), (511, 2), (610, 4), (612, 500), (1535, 2), (1023, 700), (613, 1)] {
        let pins = try space.pin(at: hugeBase.page(first), pages: count, .write)
        #expect(pins.count == count)
        for index in 0..<count where pins.pfn(at: index) != frames[first + index] {
          Issue.record(
            "page \(index) of \(count) from \(first) is \(pins.pfn(at: index)), not \(frames[first + index])")
          break
        }
        for index in stride(from: 0, to: count, by: 37) {
          #expect(pins.deviceBytes(at: index).load(as: UInt64.self) == UInt64(first + index + 1))
        }
        pins.release(dirty: true)
        #expect(machine.memory.census().pins == 0)
      }
      for page in [0, 511, 512, 612, 1024, 1535, 1536, 2047] {
        #expect(space.frameInformation(at: hugeBase.page(page))?.isDirty == true, "page \(page)")
      }
    }
  }

  @Test(arguments: Engines.all) func rangesOutliveTheSpace(engine: PinEngine) throws {
    try withHugePages(frames: 6 * 512, engine: engine) { machine, space in
      try mixture(space)
      let pins = try space.pin(at: hugeBase.page(1), pages: 2046, .write)
      space.exit()
      machine.memory.flushDeferredFrees()
      for index in 0..<2046 where pins.deviceBytes(at: index).load(as: UInt64.self) != UInt64(index + 2) {
        Issue.record("page \(index) is another's")
        break
      }
      #expect(machine.memory.census().mapcounts == 0)
      pins.release()
      machine.memory.flushDeferredFrees()
      #expect(machine.memory.census().framesInUse == 0)
    }
  }

  @Test(arguments: Engines.all) func aRangeEndsWhereTheMappingDoes(engine: PinEngine) throws {
    try withHugePages(engine: engine) { machine, space in
      try space.mapNumbered(pages: 512)
      let pins = try space.pin(at: hugeBase.page(500), pages: 100, .write)
      #expect(pins.count == 12)
      pins.release()
      // What is missing is faulted in, 2 MiB at a time.
      try space.mapHuge(hugeBase.page(512), pages: 512)
      let more = try space.pin(at: hugeBase.page(500), pages: 100, .write)
      #expect(more.count == 100 && machine.memory.census().pins == 2)
      more.release()
      let fast = try space.pin(at: hugeBase.page(1000), pages: 100, [.write, .fastOnly])
      #expect(fast.count == (engine == .locked ? 0 : 24))
      fast.release()
    }
  }

  @Test(arguments: Engines.all) func zeroesAreOnePage(engine: PinEngine) throws {
    try withHugePages(engine: engine) { machine, space in
      try space.mapHuge(pages: 512)
      let pins = try space.pin(at: hugeBase, pages: 20)
      #expect(pins.count == 20 && Set((0..<20).map { pins.pfn(at: $0) }).count == 1)
      #expect(pins.deviceBytes(at: 19).load(as: UInt64.self) == 0)
      #expect(machine.memory.census().pins == 20)
      pins.release()
    }
  }

  @Test(arguments: Engines.all) func getsAreReferencesAndNoPins(engine: PinEngine) throws {
    try withHugePages(engine: engine) { machine, space in
      try space.mapNumbered(pages: 512)
      let gets = try space.pin(at: hugeBase, pages: 512, [.get, .write])
      #expect(gets.count == 512)
      #expect(machine.memory.census().pins == 0 && machine.memory.census().references == 2)
      gets.release()
    }
  }
}
