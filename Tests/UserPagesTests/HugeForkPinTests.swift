import TestSupport
import Testing

@testable import UserPages

/// Forks of 2 MiB that are held, and pins of 2 MiB that a fork left shared.
@Suite struct HugeForkPinTests {
  @Test(arguments: Engines.all) func theChildGetsCopiesAndTheParentKeepsItsOwn(engine: PinEngine) throws {
    try withHugePages(engine: engine) { machine, space in
      try space.mapNumbered(pages: 512)
      let pin = try space.pin(at: hugeBase.page(5), .write)
      let child = try space.fork()
      #expect(space.says(hugeBase) == "normal rw dirty" && child.says(hugeBase) == "normal rw dirty")
      #expect(space.frameInformation(at: hugeBase.page(5))?.isExclusive == true)
      #expect(child.frameInformation(at: hugeBase.page(5))?.isExclusive == true)
      #expect(try child.firstUnnumbered(pages: 0..<512) == nil)
      #expect(machine.memory.census().framesInUse == 1024)
      pin.deviceBytes.store(UInt64(1000))
      try space.store(UInt64(2000), at: hugeBase.page(6))
      #expect(try space.load(at: hugeBase.page(5), as: UInt64.self) == 1000)
      #expect(try child.firstUnnumbered(pages: 0..<512) == nil)
      #expect(try space.pfn(hugeBase.page(5)) == pin.pfn)
      pin.release()
      child.exit()
    }
  }

  @Test(arguments: Engines.all) func aPinnedRangeStaysTheParents(engine: PinEngine) throws {
    try withHugePages(engine: engine) { machine, space in
      try space.mapNumbered(pages: 1024)
      // All of the first 2 MiB, nothing of the second.
      let pins = try space.pin(at: hugeBase, pages: 512, [.write, .longTerm])
      let child = try space.fork()
      #expect(space.says(hugeBase.page(512)) == "huge r dirty")
      #expect(machine.memory.census().framesInUse == 1536)
      for page in 0..<512 { try space.store(UInt64(5000 + page), at: hugeBase.page(page)) }
      for index in 0..<512 where pins.deviceBytes(at: index).load(as: UInt64.self) != UInt64(5000 + index) {
        Issue.record("the parent left page \(index)")
        break
      }
      #expect(try child.firstUnnumbered(pages: 0..<1024) == nil)
      pins.release()
      child.exit()
    }
  }

  @Test(arguments: Engines.all) func partsOfAPinnedFrameAreCopiedToo(engine: PinEngine) throws {
    try withHugePages(engine: engine) { machine, space in
      try space.mapNumbered(pages: 512)
      try space.unmap(at: hugeBase, pages: 500)
      let pin = try space.pin(at: hugeBase.page(505), .write)
      let child = try space.fork()
      #expect(machine.memory.census().framesInUse == 512 + 12)
      try space.store(UInt64(1), at: hugeBase.page(505))
      #expect(pin.deviceBytes.load(as: UInt64.self) == 1)
      #expect(try child.firstUnnumbered(pages: 500..<512) == nil)
      pin.release()
      child.exit()
    }
  }

  /// The pins of 2 MiB are counted as a whole. One of a part that no child inherits says nothing about parts that an
  /// earlier fork left shared.
  @Test(arguments: Engines.all) func sharedPartsOfAPinnedFrameStayShared(engine: PinEngine) throws {
    try withHugePages(engine: engine) { machine, space in
      try space.mapNumbered(pages: 512)
      try space.advise(at: hugeBase.page(500), pages: 12, .dontFork)
      let elder = try space.fork()
      let pin = try space.pin(at: hugeBase.page(505), .write)
      let younger = try space.fork()
      #expect(machine.memory.census().framesInUse == 512)
      try space.store(UInt64(9), at: hugeBase.page(5))
      for child in [elder, younger] { #expect(try child.firstUnnumbered(pages: 0..<500) == nil) }
      try space.store(UInt64(10), at: hugeBase.page(505))
      #expect(pin.deviceBytes.load(as: UInt64.self) == 10)
      pin.release()
      elder.exit()
      younger.exit()
    }
  }

  @Test(arguments: Engines.all) func aGetPromisesNothing(engine: PinEngine) throws {
    try withHugePages(engine: engine) { machine, space in
      try space.mapNumbered(pages: 512)
      let get = try space.pin(at: hugeBase.page(5), [.get, .write])
      let child = try space.fork()
      #expect(child.says(hugeBase) == "huge r dirty")
      #expect(machine.memory.census().framesInUse == 512)
      get.release()
      child.exit()
    }
  }

  @Test(arguments: Engines.all) func aForkThatFailsLeavesThePinWithItsProgram(engine: PinEngine) throws {
    try withHugePages(frames: 700, engine: engine) { machine, space in
      try space.mapNumbered(pages: 512)
      let pin = try space.pin(at: hugeBase.page(5), .write)
      #expect(throws: PageError.outOfMemory) { _ = try space.fork() }
      #expect(machine.memory.census().framesInUse == 512)
      for page in 0..<512 { try space.store(UInt64(9000 + page), at: hugeBase.page(page)) }
      #expect(pin.deviceBytes.load(as: UInt64.self) == 9005)
      #expect(machine.memory.census().framesInUse == 512)
      pin.release()
    }
  }

  @Test(arguments: Engines.all) func aPinForReadingGetsAPageOfItsOwn(engine: PinEngine) throws {
    try withHugePages(engine: engine) { machine, space in
      try space.mapNumbered(pages: 512)
      let child = try space.fork()
      let pin = try child.pin(at: hugeBase.page(5))
      #expect(pin.deviceBytes.load(as: UInt64.self) == 6)
      #expect(child.counters.copies == 1)
      #expect(child.says(hugeBase.page(4)) == "normal r dirty")
      #expect(machine.memory.census().framesInUse == 513)
      // Pin and program see one page, whichever of them stores.
      try space.store(UInt64(100), at: hugeBase.page(5))
      try child.store(UInt64(200), at: hugeBase.page(5))
      #expect(pin.deviceBytes.load(as: UInt64.self) == 200)
      #expect(try space.load(at: hugeBase.page(5), as: UInt64.self) == 100)
      pin.release()
      child.exit()
    }
  }

  @Test(arguments: Engines.all) func aSoleUsersPinForReadingCopiesNothing(engine: PinEngine) throws {
    try withHugePages(engine: engine) { machine, space in
      try space.mapNumbered(pages: 512)
      try space.fork().exit()
      let pin = try space.pin(at: hugeBase.page(5))
      #expect(space.says(hugeBase) == "huge r dirty")
      #expect(space.frameInformation(at: hugeBase)?.isExclusive == true)
      #expect(machine.memory.census().framesInUse == 512)
      try space.store(UInt64(200), at: hugeBase.page(5))
      #expect(pin.deviceBytes.load(as: UInt64.self) == 200 && space.counters.copies == 0)
      pin.release()
    }
  }

  @Test(arguments: Engines.all) func rangesOfAChild(engine: PinEngine) throws {
    try withHugePages(frames: 6 * 512, engine: engine) { machine, space in
      try space.mapNumbered(pages: 512)
      let child = try space.fork()
      let pins = try child.pin(at: hugeBase, pages: 512)
      #expect(pins.count == 512)
      #expect(child.counters.copies == 512)
      try space.store(UInt64(9), at: hugeBase.page(100))
      #expect(pins.deviceBytes(at: 100).load(as: UInt64.self) == 101)
      pins.release()
      child.exit()
    }
  }
}
