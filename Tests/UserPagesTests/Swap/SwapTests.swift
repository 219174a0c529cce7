import TestSupport
import Testing

@testable import UserPages

/// Anonymous pages that go to the swap file and come back.
@Suite struct SwapTests {
  @Test(arguments: Engines.all)
  func contentsSurvive(engine: PinEngine) throws {
    try Swapped.withPages(engine: engine) { machine, space in
      try space.store([UInt8](repeating: 0xab, count: Page.size), at: Swapped.address(3))
      try space.advise(at: Swapped.start, pages: 4, .pageOut)
      for page in 0..<4 {
        #expect(space.entry(at: Swapped.address(page)).description == "swap")
        #expect(space.frameInformation(at: Swapped.address(page)) == nil)
      }
      machine.memory.flushDeferredFrees()
      #expect(machine.memory.freePages == 64, "the file has the pages, and all frames are free")
      #expect(machine.memory.census().swapSlots == 4)
      let faults = space.counters.faults
      for page in 0..<3 { #expect(try space.load(at: Swapped.address(page), as: UInt64.self) == Swapped.word(page)) }
      #expect(try space.load(at: Swapped.address(3), count: Page.size).allSatisfy { $0 == 0xab })
      #expect(space.counters.faults == faults + 4)
      #expect(machine.memory.census().swapSlots == 0)
      #expect(space.entry(at: Swapped.address(0)).description == "normal rw", "back, and clean")
      #expect(space.frameInformation(at: Swapped.address(0))?.isExclusive == true)
    }
  }

  /// Back before the file has it: the same frame.
  @Test func aPageIsTakenOutOfTheCache() throws {
    try Swapped.withPages(1) { machine, space in
      let pfn = try space.pin(at: Swapped.start, .write).pfnAtRelease()
      let (begun, writer) = Swapped.holdWrites(machine)
      try space.advise(at: Swapped.start, pages: 1, .pageOut)
      #expect(space.entry(at: Swapped.start).description == "swap")
      // A page that comes back before the writer has begun with it has no slot any more.
      _ = begun.wait()
      try space.store(UInt64(9), at: Swapped.start + 8)
      #expect(try space.pin(at: Swapped.start, .write).pfnAtRelease() == pfn)
      #expect(try space.load(at: Swapped.start, as: UInt64.self) == Swapped.word(0))
      // The slot is the writer's still.
      #expect(machine.memory.census().swapSlots == 1)
      writer.open()
      machine.memory.flushDeferredFrees()
      #expect(machine.memory.census().swapSlots == 0)
      #expect(try space.load(at: Swapped.start + 8, as: UInt64.self) == 9)
    }
  }

  @Test(arguments: Engines.all)
  func sharedWithAChild(engine: PinEngine) throws {
    try Swapped.withPages(2, engine: engine) { machine, space in
      // Out, then shared: both sides bring it back, each its own way.
      try space.advise(at: Swapped.start, pages: 2, .pageOut)
      let child = try space.fork()
      #expect(child.entry(at: Swapped.start).description == "swap")
      machine.memory.flushDeferredFrees()
      #expect(machine.memory.freePages == 64)
      #expect(try child.load(at: Swapped.start, as: UInt64.self) == Swapped.word(0))
      #expect(try space.load(at: Swapped.start, as: UInt64.self) == Swapped.word(0))
      #expect(space.frameInformation(at: Swapped.start) == child.frameInformation(at: Swapped.start))
      #expect(space.frameInformation(at: Swapped.start)?.mapCount == 2, "one frame for both")
      #expect(space.frameInformation(at: Swapped.start)?.isExclusive == false)
      #expect(space.entry(at: Swapped.start).description == "normal r")
      machine.memory.flushDeferredFrees()
      #expect(machine.memory.freePages == 63)
      // A store brings it back and copies it: the child sees the old one.
      try space.store(UInt64(7), at: Swapped.address(1))
      #expect(try child.load(at: Swapped.address(1), as: UInt64.self) == Swapped.word(1))
      #expect(try space.load(at: Swapped.address(1), as: UInt64.self) == 7)
      // What both map stays. What one maps goes, also where the other's is in the file.
      try space.advise(at: Swapped.start, pages: 2, .pageOut)
      #expect(space.entry(at: Swapped.start).description == "normal r")
      #expect(space.entry(at: Swapped.address(1)).description == "swap")
      child.exit()
      #expect(try space.load(at: Swapped.address(1), as: UInt64.self) == 7)
      try space.store(UInt64(8), at: Swapped.start)
      #expect(space.frameInformation(at: Swapped.start)?.isExclusive == true)
    }
  }

  /// The page of a slot that another entry still needs goes out again, to the same slot and without being written
  /// again.
  @Test func backToTheSameSlot() throws {
    try Swapped.withPages(1) { machine, space in
      try space.advise(at: Swapped.start, pages: 1, .pageOut)
      let child = try space.fork()
      machine.memory.flushDeferredFrees()
      #expect(try space.load(at: Swapped.start, as: UInt64.self) == Swapped.word(0))
      machine.memory.swap.store.writeHook.withLock {
        $0 = { _, _ in
          Issue.record("the file has the page already")
          return true
        }
      }
      try space.advise(at: Swapped.start, pages: 1, .pageOut)
      #expect(space.entry(at: Swapped.start).description == "swap")
      #expect(machine.memory.freePages == 64)
      #expect(machine.memory.census().swapSlots == 1)
      space.exit()
      #expect(try child.load(at: Swapped.start, as: UInt64.self) == Swapped.word(0))
      try child.store(UInt64(1), at: Swapped.start)
      #expect(child.counters.copies == 0)
      child.exit()
    }
  }

  /// Every pin keeps its page mapped. The program and the holder go on seeing one page.
  @Test(arguments: Engines.all, [PinOptions.write, [], .longTerm, [.write, .longTerm]])
  func aPinnedPageStays(engine: PinEngine, options: PinOptions) throws {
    try Swapped.withPages(2, engine: engine) { machine, space in
      let pin = try space.pin(at: Swapped.start, options)
      try space.advise(at: Swapped.start, pages: 2, .pageOut)
      #expect(space.entry(at: Swapped.start).description == "normal rw dirty")
      #expect(space.frameInformation(at: Swapped.start)?.isExclusive == true)
      #expect(space.entry(at: Swapped.address(1)).description == "swap")
      try space.store(UInt64(3), at: Swapped.start)
      #expect(pin.deviceBytes.load(as: UInt64.self) == 3)
      pin.release()
      try space.advise(at: Swapped.start, pages: 2, .pageOut)
      #expect(space.entry(at: Swapped.start).description == "swap")
      #expect(try space.load(at: Swapped.start, as: UInt64.self) == 3)
    }
  }

  /// A get keeps its frame, and not the entry: the program's next access finds the frame in the cache.
  @Test(arguments: Engines.all, [PinOptions.get, [.get, .write]])
  func aGotPageGoesToTheCache(engine: PinEngine, options: PinOptions) throws {
    try Swapped.withPages(2, engine: engine) { machine, space in
      let get = try space.pin(at: Swapped.start, options)
      for turn in UInt64(1)...2 {
        try space.advise(at: Swapped.start, pages: 2, .pageOut)
        #expect(space.entry(at: Swapped.start).description == "swap")
        machine.memory.flushDeferredFrees()
        // Reclaim has nothing written that a get has.
        #expect(machine.memory.reclaim(pages: 2) == 0)
        #expect(machine.memory.freePages == 63)
        try space.store(turn, at: Swapped.start)
        #expect(space.frameInformation(at: Swapped.start)?.isExclusive == true)
        #expect(get.deviceBytes.load(as: UInt64.self) == turn)
        get.deviceBytes.store(turn + 10, toByteOffset: 8)
        #expect(try space.load(at: Swapped.start + 8, as: UInt64.self) == turn + 10)
      }
      try space.advise(at: Swapped.start, pages: 2, .pageOut)
      machine.memory.flushDeferredFrees()
      get.deviceBytes.store(UInt64(20), toByteOffset: 8)
      get.release(dirty: true)
      machine.memory.flushDeferredFrees()
      #expect(machine.memory.freePages == 63)
      #expect(machine.memory.reclaim(pages: 1) == 1)
      #expect(machine.memory.freePages == 64)
      #expect(try space.load(at: Swapped.start, as: UInt64.self) == 2)
      #expect(try space.load(at: Swapped.start + 8, as: UInt64.self) == 20)
    }
  }

  /// The space ends, or throws the page away, while a get has it in the cache.
  @Test(arguments: Engines.all)
  func aGotPageIsGivenUp(engine: PinEngine) throws {
    try Swapped.withPages(2, engine: engine) { machine, space in
      let first = try space.pin(at: Swapped.start, .get)
      let second = try space.pin(at: Swapped.address(1), .get)
      try space.advise(at: Swapped.start, pages: 2, .pageOut)
      try space.advise(at: Swapped.start, pages: 1, .dontNeed)
      #expect(try space.load(at: Swapped.start, as: UInt64.self) == 0)
      space.exit()
      machine.memory.flushDeferredFrees()
      #expect(machine.memory.freePages == 62)
      #expect(first.deviceBytes.load(as: UInt64.self) == Swapped.word(0))
      #expect(second.deviceBytes.load(as: UInt64.self) == Swapped.word(1))
      first.release()
      second.release()
    }
  }

  /// A file's page is no program's own memory, even if the file has dropped it and one entry is all that is left.
  @Test(arguments: Engines.all)
  func aFilesPageStays(engine: PinEngine) throws {
    try Swapped.withPages(1, engine: engine) { machine, space in
      let file = try PageCacheFile(machine.memory, pages: 1, fill: 3)
      let page = Swapped.address(8)
      try space.map(at: page, pages: 1, protection: .readWrite, sharing: .shared, backing: .file(file))
      #expect(try space.load(at: page, as: UInt8.self) == 3)
      file.drop()
      machine.memory.flushDeferredFrees()
      try space.advise(at: page, pages: 1, .pageOut)
      #expect(space.entry(at: page).kind == .normal)
      #expect(space.frameInformation(at: page)?.isAnonymous == false)
    }
  }

  @Test(arguments: Engines.all)
  func pinsBringPagesBack(engine: PinEngine) throws {
    try Swapped.withPages(engine: engine) { machine, space in
      try space.advise(at: Swapped.start, pages: 4, .pageOut)
      #expect(throws: PageError.tryAgain) { try space.pin(at: Swapped.start, .fastOnly).release() }
      #expect(throws: PageError.badAddress) { try space.pin(at: Swapped.start, .noFault).release() }
      let pin = try space.pin(at: Swapped.start, .write)
      #expect(pin.deviceBytes.load(as: UInt64.self) == Swapped.word(0))
      pin.deviceBytes.store(UInt64(4), toByteOffset: 8)
      #expect(try space.load(at: Swapped.start + 8, as: UInt64.self) == 4)
      pin.release()
      let pins = try space.pin(at: Swapped.start, pages: 4, .get)
      #expect(pins.count == 4)
      #expect((0..<4).allSatisfy { pins.deviceBytes(at: $0).load(as: UInt64.self) == Swapped.word($0) })
      pins.release()
      // Shared, a pin for reading gets a page of its own first.
      try space.advise(at: Swapped.start, pages: 4, .pageOut)
      let child = try space.fork()
      let read = try child.pin(at: Swapped.start, .longTerm)
      #expect(child.frameInformation(at: Swapped.start)?.isExclusive == true)
      #expect(read.deviceBytes.load(as: UInt64.self) == Swapped.word(0))
      read.release()
      child.exit()
    }
  }

  @Test(arguments: Engines.all)
  func protectionIsTheMappings(engine: PinEngine) throws {
    try Swapped.withPages(engine: engine) { machine, space in
      try space.advise(at: Swapped.start, pages: 4, .pageOut)
      try space.protect(at: Swapped.start, pages: 1, .read)
      try space.protect(at: Swapped.address(1), pages: 1, .none)
      #expect(space.entry(at: Swapped.start).description == "swap")
      #expect(try space.load(at: Swapped.start, as: UInt64.self) == Swapped.word(0))
      #expect(space.entry(at: Swapped.start).description == "normal r")
      #expect(throws: PageError.segmentationViolation) { try space.store(UInt64(0), at: Swapped.start) }
      #expect(throws: PageError.segmentationViolation) { try space.load(at: Swapped.address(1), as: UInt64.self) }
      let forced = try space.pin(at: Swapped.address(1), [.get, .force])
      #expect(forced.deviceBytes.load(as: UInt64.self) == Swapped.word(1))
      forced.release()
      #expect(space.entry(at: Swapped.address(1)).description == "normal none")
      // A page that no access is allowed to goes out too.
      try space.advise(at: Swapped.address(1), pages: 1, .pageOut)
      #expect(space.entry(at: Swapped.address(1)).description == "swap")
      try space.protect(at: Swapped.start, pages: 2, .readWrite)
      for page in 0..<2 { try space.store(UInt64(page), at: Swapped.address(page)) }
      for page in 0..<2 { #expect(try space.load(at: Swapped.address(page), as: UInt64.self) == UInt64(page)) }
    }
  }

  /// More pages than a batch, a table node or a stretch of writes.
  @Test func manyPages() throws {
    try Swapped.withPages(1500, frames: 2048, swapPages: 2048) { machine, space in
      try space.advise(at: Swapped.start, pages: 1500, .pageOut)
      machine.memory.flushDeferredFrees()
      #expect(machine.memory.freePages == 2048)
      for page in 0..<1500 { #expect(try space.load(at: Swapped.address(page), as: UInt64.self) == Swapped.word(page)) }
    }
  }

  /// References that only wait for a grace period keep nothing in memory.
  @Test func whatAChildThrewAwayGoesOut() throws {
    try Swapped.withPages(2) { machine, space in
      let child = try space.fork()
      try child.advise(at: Swapped.start, pages: 2, .dontNeed)
      try space.advise(at: Swapped.start, pages: 2, .pageOut)
      #expect(space.entry(at: Swapped.start).description == "swap")
      #expect(space.entry(at: Swapped.address(1)).description == "swap")
      machine.memory.flushDeferredFrees()
      #expect(machine.memory.freePages == 64)
      child.exit()
    }
  }
}
