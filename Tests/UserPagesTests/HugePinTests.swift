import TestSupport
import Testing

@testable import UserPages

/// Pins and gets of single pages of 2 MiB.
@Suite struct HugePinTests {
  @Test(arguments: Engines.all) func aPinOfAPartIsOneOfTheWhole(engine: PinEngine) throws {
    try withHugePages(engine: engine) { machine, space in
      try space.mapNumbered(pages: 512)
      let first = try space.pfn(hugeBase)
      #expect(first.rawValue % 512 == 0)
      let pin = try space.pin(at: hugeBase.page(5) + 12, .write)
      #expect(pin.pfn == first + 5)
      #expect(pin.deviceBytes.load(as: UInt64.self) == 6)
      for page in [0, 5, 511] {
        let frame = try #require(space.frameInformation(at: hugeBase.page(page)))
        #expect(frame.pinCount == 1)
        // A pin in a slot is no reference.
        #expect(frame.referenceCount == (engine == .slot ? 1 : 2))
      }
      #expect(machine.memory.census().pins == 1)
      pin.deviceBytes.store(UInt64(99), toByteOffset: 64)
      #expect(try space.load(at: hugeBase.page(5) + 64, as: UInt64.self) == 99)
      pin.release()
      #expect(space.frameInformation(at: hugeBase)?.pinCount == 0)
      #expect(space.frameInformation(at: hugeBase)?.referenceCount == 1)
      #expect(space.says(hugeBase) == "huge rw dirty")
    }
  }

  @Test(arguments: Engines.lockless) func theFastPathTakesThemMappedWholeAndInParts(engine: PinEngine) throws {
    let options: [PinOptions] = [
      [], .write, .longTerm, [.write, .longTerm], .get, [.get, .write], .fastOnly, [.fastOnly, .write],
    ]
    try withHugePages(engine: engine) { machine, space in
      try space.mapNumbered(pages: 512)
      let first = try space.pfn(hugeBase)
      for isSplit in [false, true] {
        if isSplit { try space.protect(at: hugeBase, pages: 1, .read) }
        #expect(space.says(hugeBase.page(7)) == (isSplit ? "normal rw dirty" : "huge rw dirty"))
        let before = space.counters
        for option in options {
          let pin = try space.pin(at: hugeBase.page(7), option)
          #expect(pin.pfn == first + 7 && pin.deviceBytes.load(as: UInt64.self) == 8)
          let isSlot = engine == .slot && !option.contains(.longTerm)
          let frame = try #require(space.frameInformation(at: hugeBase.page(100)))
          #expect(frame.pinCount == (option.contains(.get) ? 0 : 1), "\(option)")
          #expect(frame.referenceCount == (isSplit ? 512 : 1) + (isSlot ? 0 : 1), "\(option)")
          pin.release()
        }
        #expect(space.counters.fast == before.fast + options.count)
        #expect(space.counters.slow == before.slow)
        #expect(machine.memory.census().pins == 0)
      }
    }
  }

  @Test(arguments: Engines.all) func theSlowPathTakesThemToo(engine: PinEngine) throws {
    try withHugePages(engine: engine) { machine, space in
      try space.mapHuge(pages: 1024)
      // The fault is the pin's own.
      let pin = try space.pin(at: hugeBase.page(9), .write)
      #expect(space.says(hugeBase) == "huge rw dirty")
      #expect(space.frameInformation(at: hugeBase)?.pinCount == 1)
      #expect(space.counters.slow == 1)
      pin.release()
      // Zeroes: nothing to count but the one page of them, for whichever page is asked.
      let zero = try space.pin(at: hugeBase.page(600))
      #expect(zero.deviceBytes.load(as: UInt64.self) == 0)
      #expect(space.says(hugeBase.page(600)) == "zero r")
      #expect(machine.memory.census().pins == 1)
      zero.release()
      // For long it must be the space's own page.
      let long = try space.pin(at: hugeBase.page(601), .longTerm)
      try space.store(UInt64(5), at: hugeBase.page(601))
      #expect(long.deviceBytes.load(as: UInt64.self) == 5)
      #expect(space.says(hugeBase.page(602)) == "zero r")
      long.release()
      #expect(throws: PageError.badAddress) { try space.pin(at: hugeBase.page(1024)).release() }
    }
  }

  @Test(arguments: Engines.all) func whatMayNotBeWrittenIsNotPinnedForWriting(engine: PinEngine) throws {
    try withHugePages(engine: engine) { _, space in
      try space.mapNumbered(pages: 512)
      try space.protect(at: hugeBase, pages: 512, .read)
      #expect(space.says(hugeBase) == "huge r dirty")
      #expect(throws: PageError.badAddress) { try space.pin(at: hugeBase, .write).release() }
      #expect(throws: PageError.tryAgain) { try space.pin(at: hugeBase, [.write, .fastOnly]).release() }
      let pin = try space.pin(at: hugeBase)
      pin.release()
      // A debugger may, and the program sees it.
      let forced = try space.pin(at: hugeBase.page(3), [.write, .force])
      forced.deviceBytes.store(UInt64(77))
      forced.release()
      #expect(try space.load(at: hugeBase.page(3), as: UInt64.self) == 77)
      #expect(space.says(hugeBase) == "huge r dirty")
      try space.protect(at: hugeBase, pages: 512, .none)
      #expect(throws: PageError.badAddress) { try space.pin(at: hugeBase).release() }
      let read = try space.pin(at: hugeBase.page(3), .force)
      #expect(read.deviceBytes.load(as: UInt64.self) == 77)
      read.release()
    }
  }

  @Test(arguments: Engines.all) func aDebuggerWritesToUntouchedMemory(engine: PinEngine) throws {
    try withHugePages(engine: engine) { _, space in
      for (index, protection) in [Protection.read, .none].enumerated() {
        let start = hugeBase.page(512 * index)
        try space.mapHuge(start, pages: 512, protection)
        let pin = try space.pin(at: start.page(3), [.write, .force])
        pin.deviceBytes.store(UInt64(77))
        pin.release()
        #expect(space.says(start) == (protection == .none ? "huge none dirty" : "huge r dirty"))
        try space.protect(at: start, pages: 512, .read)
        #expect(try space.load(at: start.page(3), as: UInt64.self) == 77)
      }
    }
  }

  @Test(arguments: Engines.all) func pinsOutliveTheMappingAndTheSpace(engine: PinEngine) throws {
    try withHugePages(engine: engine) { machine, space in
      try space.mapNumbered(pages: 1024)
      let one = try space.pin(at: hugeBase.page(5), .write)
      let other = try space.pin(at: hugeBase.page(517), .write)
      try space.unmap(at: hugeBase, pages: 512)
      machine.memory.flushDeferredFrees()
      #expect(machine.memory.census().framesInUse == 1024)
      #expect(one.deviceBytes.load(as: UInt64.self) == 6)
      space.exit()
      machine.memory.flushDeferredFrees()
      #expect(machine.memory.census().framesInUse == 1024)
      #expect(other.deviceBytes.load(as: UInt64.self) == 518)
      one.release()
      machine.memory.flushDeferredFrees()
      #expect(machine.memory.census().framesInUse == 512)
      #expect(other.deviceBytes.load(as: UInt64.self) == 518)
      other.release()
      machine.memory.flushDeferredFrees()
      #expect(machine.memory.census().framesInUse == 0)
    }
  }

  @Test(arguments: Engines.all) func aPinHoldsAllWhileItsNeighboursGo(engine: PinEngine) throws {
    try withHugePages(engine: engine) { machine, space in
      try space.mapNumbered(pages: 512)
      let pin = try space.pin(at: hugeBase.page(5), .write)
      try space.unmap(at: hugeBase, pages: 511)
      machine.memory.flushDeferredFrees()
      #expect(space.frameInformation(at: hugeBase.page(511))?.pinCount == 1)
      #expect(pin.deviceBytes.load(as: UInt64.self) == 6)
      try space.advise(at: hugeBase.page(511), pages: 1, .dontNeed)
      machine.memory.flushDeferredFrees()
      #expect(machine.memory.census().framesInUse == 512)
      #expect(try space.load(at: hugeBase.page(511), as: UInt64.self) == 0)
      pin.release()
      machine.memory.flushDeferredFrees()
      #expect(machine.memory.census().framesInUse == 0)
    }
  }

  @Test(arguments: Engines.all) func dirtyIsThePagesOwn(engine: PinEngine) throws {
    try withHugePages(engine: engine) { _, space in
      try space.mapNumbered(pages: 512)
      try space.pin(at: hugeBase.page(5), .write).release(dirty: true)
      #expect(space.frameInformation(at: hugeBase.page(5))?.isDirty == true)
      #expect(space.frameInformation(at: hugeBase.page(6))?.isDirty == false)
      try space.pin(at: hugeBase.page(10), pages: 3, .write).release(dirty: true)
      #expect(
        (9...13).map { space.frameInformation(at: hugeBase.page($0))?.isDirty } == [false, true, true, true, false])
    }
  }
}
