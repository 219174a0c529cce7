import TestSupport
import Testing

@testable import UserPages

/// 2 MiB frames that become ordinary ones again.
@Suite struct HugeBreakUpTests {
  private let whole = hugeBase..<hugeBase.page(512)

  @Test(arguments: Engines.all) func whatAPartialUnmapLeftComesBack(engine: PinEngine) throws {
    try withHugePages(engine: engine) { machine, space in
      try space.mapNumbered(pages: 512)
      try space.unmap(at: hugeBase.page(10), pages: 500)
      machine.memory.flushDeferredFrees()
      #expect(machine.memory.census().framesInUse == 512)
      #expect(space.breakUpHugeFrames(in: whole))
      #expect(machine.memory.census().framesInUse == 12)
      #expect(machine.memory.census().mapcounts == 12 && machine.memory.census().references == 12)
      #expect(try space.firstUnnumbered(pages: 0..<10) == nil)
      #expect(try space.firstUnnumbered(pages: 510..<512) == nil)
      #expect(space.says(hugeBase) == "normal rw dirty")
      #expect(!space.breakUpHugeFrames(in: whole), "there is none left")
      // Each is a frame of its own now.
      let pin = try space.pin(at: hugeBase.page(3), .write)
      #expect(
        space.frameInformation(at: hugeBase.page(3))?.pinCount == 1
          && space.frameInformation(at: hugeBase.page(4))?.pinCount == 0)
      try space.unmap(at: hugeBase, pages: 10)
      machine.memory.flushDeferredFrees()
      #expect(machine.memory.census().framesInUse == 3)
      #expect(pin.deviceBytes.load(as: UInt64.self) == 4)
      pin.release()
    }
  }

  /// A part of zeroes is freed, and its entry shows the zero page. Locked memory keeps its frames.
  @Test(arguments: Engines.all, [false, true])
  func zeroesAreTheZeroPage(engine: PinEngine, isLocked: Bool) throws {
    try withHugePages(engine: engine) { machine, space in
      try space.mapHuge(pages: 512)
      try space.store(UInt8(7), at: hugeBase.page(3) + 4095)
      try space.store(UInt8(8), at: hugeBase.page(4))
      #expect(space.says(hugeBase) == "huge rw dirty")
      if isLocked { try space.lock(at: hugeBase, pages: 512) }
      try space.protect(at: hugeBase.page(6), pages: 1, .none)
      #expect(space.breakUpHugeFrames(in: whole))
      let frames = isLocked ? 512 : 2
      let census = machine.memory.census()
      #expect(census.framesInUse == frames && census.mapcounts == frames && census.references == frames)
      for page in [3, 4] { #expect(space.says(hugeBase.page(page)) == "normal rw dirty") }
      let zeroes = isLocked ? "normal rw dirty" : "zero r"
      for page in [0, 2, 5, 511] { #expect(space.says(hugeBase.page(page)) == zeroes) }
      #expect(space.says(hugeBase.page(6)) == (isLocked ? "normal none dirty" : "zero none"))
      try space.protect(at: hugeBase.page(6), pages: 1, .readWrite)
      try space.store(UInt8(9), at: hugeBase.page(6))
      #expect(try space.load(at: hugeBase.page(3) + 4095, as: UInt8.self) == 7)
      #expect(try space.load(at: hugeBase.page(5), as: UInt64.self) == 0)
      #expect(try space.load(at: hugeBase.page(6), as: UInt64.self) == 9)
    }
  }

  /// Shows the zero page whole. When the hole is filled, each page has a byte.
  private final class Hole: Backing {
    let users: BackingUsers? = BackingUsers()
    let sequence: InvalidationSequence? = InvalidationSequence()
    let pageCount = 512
    private let zeroPage: PFN
    private let filled: PFN
    private let isFilled = Locked(false)

    init(_ memory: PhysicalMemory, filledBy image: Image) { (zeroPage, filled) = (memory.zeroPage, image.firstPFN) }

    func fault(page: Int, write: Bool) -> FaultAnswer {
      .frameNumber(isFilled.withLock { $0 } ? filled : zeroPage, writable: false)
    }
    func hugeFault(page: Int, write: Bool) -> FaultAnswer? { .frameNumber(zeroPage, writable: false) }

    func fill(page: Int) {
      isFilled.withLock { $0 = true }
      sequence?.advance()
      _ = users?.unmap(page: page, of: self)
      RCU.synchronize()
    }
  }

  /// A private copy of a backing's 2 MiB of zeroes stays a copy, whatever is in it: the backing may change below it.
  @Test(arguments: Engines.all) func zeroesOfABackedMappingStay(engine: PinEngine) throws {
    try withHugePages(engine: engine) { machine, space in
      let hole = Hole(machine.memory, filledBy: try Image(machine.memory, pages: 1) { _ in 0xAA })
      try space.map(at: hugeBase, pages: 512, protection: .readWrite, backing: .mixed(hole), hugePages: true)
      _ = try space.load(at: hugeBase, as: UInt8.self)
      try space.store(UInt8(1), at: hugeBase)
      for value in [1, 0] as [UInt8] { try space.store(value, at: hugeBase.page(5)) }
      #expect(space.says(hugeBase) == "huge rw dirty")
      #expect(space.breakUpHugeFrames(in: whole))
      hole.fill(page: 5)
      #expect(try space.load(at: hugeBase.page(5), as: UInt8.self) == 0, "a private page went with the backing's")
      #expect(try space.load(at: hugeBase, as: UInt8.self) == 1)
    }
  }

  @Test func aReferenceByNumberKeepsItWhole() throws {
    try withHugePages(engine: .reference) { machine, space in
      try space.mapNumbered(pages: 512)
      let first = try space.pfn(hugeBase)
      let frames = machine.memory.frames
      // What a mapping by number holds for a moment, after the counts were looked at and before they are given out
      // anew.
      let retained = try RCU.read { section in try machine.memory.retainFolio(of: first + 7, section) }
      let folio = try #require(retained)
      #expect(frames.breakUp(first, users: [first]) == nil)
      #expect(frames.frame(first + 7).has(Frame.hugeBit) && folio.references == 2)
      machine.memory.put(folio, Frame.oneReference)
      #expect(try space.firstUnnumbered(pages: 0..<512) == nil)
    }
  }

  @Test(arguments: Engines.all) func aWholeOneIsSplitFirst(engine: PinEngine) throws {
    try withHugePages(engine: engine) { machine, space in
      try space.mapNumbered(pages: 1024)
      #expect(space.breakUpHugeFrames(in: hugeBase.page(5)..<hugeBase.page(6)))
      #expect(space.says(hugeBase) == "normal rw dirty" && space.says(hugeBase.page(512)) == "huge rw dirty")
      #expect(try space.firstUnnumbered(pages: 0..<1024) == nil)
      #expect(machine.memory.census().framesInUse == 1024 && machine.memory.census().references == 513)
      for page in 0..<100 { try space.store(UInt64(page + 1), at: hugeBase.page(page)) }
      try space.advise(at: hugeBase.page(1), pages: 1, .dontNeed)
      machine.memory.flushDeferredFrees()
      #expect(machine.memory.census().framesInUse == 1023)
    }
  }

  /// What lies beside the range in the same 2 MiB of addresses is left alone.
  @Test(arguments: Engines.all) func whatTheRangeDoesNotShowStaysWhole(engine: PinEngine) throws {
    try withHugePages(engine: engine) { _, space in
      try space.mapNumbered(pages: 512)
      try space.unmap(at: hugeBase.page(10), pages: 502)
      try space.mapNumbered(hugeBase.page(20), pages: 1)
      #expect(!space.breakUpHugeFrames(in: hugeBase.page(20)..<hugeBase.page(21)))
      #expect(space.breakUpHugeFrames(in: hugeBase.page(9)..<hugeBase.page(21)))
    }
  }

  @Test(arguments: Engines.all) func whatIsHeldStaysWhole(engine: PinEngine) throws {
    try withHugePages(engine: engine) { machine, space in
      try space.mapNumbered(pages: 512)
      for option in [PinOptions.write, [], .longTerm, .get] {
        let pin = try space.pin(at: hugeBase.page(7), option)
        #expect(!space.breakUpHugeFrames(in: whole), "\(option)")
        #expect(try space.firstUnnumbered(pages: 0..<512) == nil)
        #expect(try space.pfn(hugeBase.page(7)) == pin.pfn)
        pin.release()
      }
      #expect(space.breakUpHugeFrames(in: whole))
      #expect(try space.firstUnnumbered(pages: 0..<512) == nil)
    }
  }

  @Test(arguments: Engines.all) func whatOthersMapStaysWhole(engine: PinEngine) throws {
    try withHugePages(engine: engine) { machine, space in
      try space.mapNumbered(pages: 512)
      let child = try space.fork()
      #expect(!space.breakUpHugeFrames(in: whole) && !child.breakUpHugeFrames(in: whole))
      #expect(try child.firstUnnumbered(pages: 0..<512) == nil)
      child.exit()
      machine.memory.flushDeferredFrees()
      #expect(space.breakUpHugeFrames(in: whole))
      try space.store(UInt64(1), at: hugeBase)
      #expect(try space.firstUnnumbered(pages: 0..<512) == nil)
      // A part that moved away is out of sight.
      try space.mapNumbered(hugeBase.page(512), pages: 512)
      try space.remap(at: hugeBase.page(512), pages: 1, to: 0x8000_0000, newPages: 1)
      #expect(!space.breakUpHugeFrames(in: hugeBase.page(512)..<hugeBase.page(1024)))
      #expect(try space.load(at: 0x8000_0000, as: UInt64.self) == 1)
      #expect(try space.firstUnnumbered(hugeBase.page(512), pages: 1..<512) == nil)
    }
  }

  @Test(arguments: Engines.all) func filesAndNumbersAreLeftAlone(engine: PinEngine) throws {
    try withHugePages(engine: engine) { machine, space in
      let file = try PageCacheFile(machine.memory, pages: 512, fill: 3)
      try space.map(
        at: hugeBase, pages: 512, protection: .readWrite, sharing: .shared, backing: .file(file), hugePages: true)
      _ = try space.load(at: hugeBase, as: UInt8.self)
      #expect(!space.breakUpHugeFrames(in: whole))
      #expect(space.says(hugeBase) == "huge r")
      try space.mapHuge(pages: 512)
      _ = try space.load(at: hugeBase, as: UInt8.self)
      #expect(!space.breakUpHugeFrames(in: whole))
      #expect(space.says(hugeBase) == "zero r")
      file.drop()
    }
  }

  @Test(arguments: Engines.all) func brokenUpAndCollapsed(engine: PinEngine) throws {
    try withHugePages(engine: engine) { machine, space in
      try space.mapNumbered(pages: 512)
      for _ in 0..<3 {
        #expect(space.breakUpHugeFrames(in: whole))
        try space.advise(at: hugeBase, pages: 512, .collapse)
        #expect(space.says(hugeBase) == "huge rw dirty")
        #expect(try space.firstUnnumbered(pages: 0..<512) == nil)
        machine.memory.flushDeferredFrees()
        #expect(machine.memory.census().framesInUse == 512)
      }
    }
  }

  // MARK: What reclaim is told

  @Test func aPartialUnmapIsCountedUntilTheFrameEnds() throws {
    try withHugePages { machine, space in
      let memory = machine.memory
      try space.mapNumbered(pages: 1024)
      try space.unmap(at: hugeBase.page(512), pages: 512)
      #expect(!memory.hasPartlyMappedFrames, "an entry that mapped all of a frame left none of it")
      try space.unmap(at: hugeBase.page(7), pages: 1)
      #expect(memory.hasPartlyMappedFrames)
      try space.unmap(at: hugeBase, pages: 512)
      memory.flushDeferredFrees()
      #expect(!memory.hasPartlyMappedFrames && memory.census().framesInUse == 0)
    }
  }

  @Test func aBreakUpEndsTheCount() throws {
    try withHugePages { machine, space in
      try space.mapNumbered(pages: 512)
      try space.unmap(at: hugeBase.page(7), pages: 1)
      machine.memory.flushDeferredFrees()
      #expect(machine.memory.reclaim(pages: 1) == 1)
      #expect(!machine.memory.hasPartlyMappedFrames)
      try space.unmap(at: hugeBase, pages: 5)
      #expect(!machine.memory.hasPartlyMappedFrames, "they are ordinary frames")
    }
  }

  /// The parent maps the frame whole. So what the child unmaps, or copies, can be reached still, until the parent ends.
  @Test(arguments: [false, true]) func anEntryThatMapsAllKeepsAFrameFromTheCount(copies: Bool) throws {
    try withHugePages { machine, space in
      try space.mapNumbered(pages: 512)
      let child = try space.fork()
      if copies {
        try child.store(UInt64(8), at: hugeBase.page(7))
      } else {
        try child.unmap(at: hugeBase.page(7), pages: 1)
      }
      #expect(!machine.memory.hasPartlyMappedFrames)
      try space.unmap(at: hugeBase, pages: 512)
      #expect(machine.memory.hasPartlyMappedFrames)
      machine.memory.flushDeferredFrees()
      // The copied page has a frame of its own. It comes with the break-up of what is left.
      #expect(machine.memory.reclaim(pages: 1) == 1)
      #expect(!machine.memory.hasPartlyMappedFrames)
      #expect(try child.firstUnnumbered(pages: 8..<512) == nil)
      child.exit()
    }
  }

  /// Two copies of one part: the second one is the last entry that goes from it.
  @Test func theLastCopyOfAPartIsCounted() throws {
    try withHugePages { machine, space in
      try space.mapNumbered(pages: 512)
      let child = try space.fork()
      let pin = try space.pin(at: hugeBase.page(9), .get)
      try child.store(UInt64(8), at: hugeBase.page(7))
      #expect(!machine.memory.hasPartlyMappedFrames)
      try space.store(UInt64(8), at: hugeBase.page(7))
      #expect(machine.memory.hasPartlyMappedFrames)
      pin.release()
      child.exit()
    }
  }
}
