import TestSupport
import Testing

@testable import UserPages

/// 2 MiB of a memory file in one frame that become base pages again. That is on their way to the swap file, and when
/// the file loses a part.
@Suite struct HugeFileSwapTests {
  private let pages = Page.pagesPerHuge
  /// Pages that hold a word each.
  private let stored = [0, 5, 300, 511]

  /// Runs `body` with 2 MiB of a file that a shared mapping shows whole.
  private func withHugePage(
    swapPages: Int = 2048, engine: PinEngine = .reference, _ body: (Machine, AddressSpace, PageCacheFile) throws -> Void
  ) throws {
    let machine = try Machine(frames: 2048, swapPages: swapPages, reclaim: ReclaimPolicy(swapsForAllocations: false))
    do {
      let file = try PageCacheFile(machine.memory, pages: pages)
      let space = AddressSpace(machine.memory, engine: engine)
      try share(space, file)
      for page in stored { try space.store(Swapped.word(page), at: hugeBase.page(page)) }
      #expect(space.says(hugeBase) == "huge rw dirty")
      try body(machine, space, file)
      space.exit()
    }
    #expect(machine.leaks() == [])
  }

  private func share(_ space: AddressSpace, _ file: PageCacheFile, _ sharing: Sharing = .shared) throws {
    try space.map(
      at: hugeBase, pages: pages, protection: .readWrite, sharing: sharing, backing: .file(file), hugePages: true)
  }

  private func pageOut(_ space: AddressSpace, _ range: Range<Int>? = nil) throws {
    let range = range ?? 0..<pages
    try space.advise(at: hugeBase.page(range.lowerBound), pages: range.count, .pageOut)
    space.memory.flushDeferredFrees()
  }

  private func expectWords(_ space: AddressSpace, but lost: Range<Int> = 0..<0) throws {
    for page in stored {
      let word = lost.contains(page) ? 0 : Swapped.word(page)
      #expect(try space.load(at: hugeBase.page(page), as: UInt64.self) == word)
    }
  }

  @Test(arguments: Engines.all) func allOfIt(engine: PinEngine) throws {
    try withHugePage(engine: engine) { machine, space, file in
      try pageOut(space)
      #expect(file.cachedPages == 0 && machine.memory.freePages == 2048)
      #expect(space.says(hugeBase) == "none")
      try expectWords(space)
      #expect(file.cachedPages == stored.count)
      #expect(space.says(hugeBase.page(5)).hasPrefix("normal"))
      // They go out again, one by one.
      try pageOut(space)
      #expect(file.cachedPages == 0)
      try expectWords(space)
    }
  }

  /// The rest stays in the cache, as base pages.
  @Test(arguments: Engines.all) func aPartOfIt(engine: PinEngine) throws {
    try withHugePage(engine: engine) { machine, space, file in
      try pageOut(space, 4..<12)
      #expect(file.cachedPages == pages - 8 && machine.memory.freePages == 2048 - pages + 8)
      try expectWords(space)
      #expect(space.frameInformation(at: hugeBase)?.referenceCount == 2)
      let pin = try space.pin(at: hugeBase.page(6), .write)
      pin.store(UInt64(66))
      pin.release(dirty: true)
      #expect(try file.read(at: 6 * Page.size, count: 1) == [66])
    }
  }

  /// A swap file that is too small takes what it can.
  @Test func aFullSwapFile() throws {
    try withHugePage(swapPages: 100) { machine, space, file in
      try pageOut(space)
      #expect(file.cachedPages == pages - 100)
      try expectWords(space)
    }
  }

  @Test(arguments: Engines.all, [false, true]) func whatIsHeldStaysWhole(engine: PinEngine, isGet: Bool) throws {
    try withHugePage(engine: engine) { machine, space, file in
      let pin = try space.pin(at: hugeBase.page(5), isGet ? [.get, .write] : .write)
      try pageOut(space)
      #expect(machine.memory.reclaim(pages: pages) == 0)
      #expect(file.cachedPages == pages)
      pin.deviceBytes.store(UInt64(99))
      #expect(try space.load(at: hugeBase.page(5), as: UInt64.self) == 99, "pin and program see two pages")
      pin.release(dirty: true)
      #expect(machine.memory.reclaim(pages: pages) == pages)
      #expect(try space.load(at: hugeBase.page(5), as: UInt64.self) == 99)
      try space.store(Swapped.word(5), at: hugeBase.page(5))
      try expectWords(space)
    }
  }

  /// Where a get has a reference, no entry goes to find that out.
  @Test func whatIsGotKeepsItsEntry() throws {
    try withHugePage { machine, space, file in
      let get = try space.get(at: hugeBase.page(5), .write)
      try pageOut(space)
      #expect(space.says(hugeBase) == "huge rw dirty")
      get.release()
    }
  }

  /// Advice of one space leaves what another maps too. Reclaim takes it.
  @Test func twoSpaces() throws {
    try withHugePage { machine, space, file in
      let other = AddressSpace(machine.memory)
      try share(other, file)
      try expectWords(other)
      #expect(other.says(hugeBase) == "huge r")
      try pageOut(space)
      #expect(file.cachedPages == pages && space.says(hugeBase) == "huge rw dirty")
      #expect(machine.memory.reclaim(pages: pages) == pages)
      #expect(file.cachedPages == 0)
      try expectWords(space)
      try expectWords(other)
      other.exit()
    }
  }

  @Test func aLockedMapping() throws {
    try withHugePage { machine, space, file in
      let other = AddressSpace(machine.memory)
      try share(other, file)
      try other.lock(at: hugeBase, pages: pages)
      #expect(machine.memory.reclaim(pages: pages) == 0)
      #expect(space.says(hugeBase) == "huge rw dirty" && other.says(hugeBase).hasPrefix("huge"))
      other.exit()
      #expect(machine.memory.reclaim(pages: pages) == pages)
      try expectWords(space)
    }
  }

  /// Copies of a private mapping are no parts of the frame.
  @Test func aPrivateMapping() throws {
    try withHugePage { machine, space, file in
      let other = AddressSpace(machine.memory)
      try share(other, file, .private)
      try other.store(UInt64(1), at: hugeBase.page(5))
      try expectWords(space)
      #expect(machine.memory.reclaim(pages: pages + 1) == pages + 1)
      #expect(file.cachedPages == 0)
      #expect(try other.load(at: hugeBase.page(5), as: UInt64.self) == 1)
      #expect(try other.load(at: hugeBase.page(300), as: UInt64.self) == Swapped.word(300))
      try expectWords(space)
      other.exit()
    }
  }

  /// Frames that a mapping shows without references stay what they are.
  @Test func aFileThatIsMappedByNumber() throws {
    try withHugePage { machine, space, file in
      try space.map(
        at: hugeBase.page(1024), pages: 1, protection: .readWrite, sharing: .shared, backing: .pfn(file))
      try file.punchHole(7..<8)
      machine.memory.flushDeferredFrees()
      #expect(machine.memory.freePages == 2048 - pages)
      #expect(machine.memory.reclaim(pages: 1) == 0)
      #expect(space.frameInformation(at: hugeBase)?.referenceCount ?? 0 > pages - 1)
      try expectWords(space)
    }
  }

  // MARK: What a cut takes

  @Test(arguments: Engines.all) func aHoleGivesMemoryBack(engine: PinEngine) throws {
    try withHugePage(swapPages: 0, engine: engine) { machine, space, file in
      try file.punchHole(300..<310)
      machine.memory.flushDeferredFrees()
      #expect(machine.memory.freePages == 2048 - pages + 10)
      try expectWords(space, but: 300..<310)
      #expect(space.frameInformation(at: hugeBase)?.referenceCount == 2)
    }
  }

  @Test(arguments: Engines.all) func aCutGivesMemoryBack(engine: PinEngine) throws {
    try withHugePage(swapPages: 0, engine: engine) { machine, space, file in
      try file.setByteCount(299 * Page.size + 1)
      machine.memory.flushDeferredFrees()
      #expect(machine.memory.freePages == 2048 - 300)
      try file.setByteCount(pages * Page.size)
      try expectWords(space, but: 300..<pages)
    }
  }

  /// The next access makes the entries of a locked mapping again, as on Linux.
  @Test func aHoleUnderALock() throws {
    try withHugePage(swapPages: 0) { machine, space, file in
      try space.lock(at: hugeBase, pages: pages)
      try file.punchHole(300..<301)
      machine.memory.flushDeferredFrees()
      #expect(machine.memory.freePages == 2048 - pages + 1)
      try expectWords(space, but: 300..<301)
    }
  }

  /// A pin keeps the orphan, and with it the 2 MiB. Reclaim breaks them up when the pin has ended.
  @Test(arguments: Engines.all) func aHoleUnderAPin(engine: PinEngine) throws {
    try withHugePage(swapPages: 0, engine: engine) { machine, space, file in
      let pin = try space.pin(at: hugeBase.page(300), .write)
      try file.punchHole(300..<301)
      machine.memory.flushDeferredFrees()
      #expect(machine.memory.freePages == 2048 - pages)
      pin.deviceBytes.store(UInt64(99))
      try expectWords(space, but: 300..<301)
      #expect(pin.deviceBytes.load(as: UInt64.self) == 99)
      // Reclaim has nothing to take while the pin holds them.
      #expect(machine.memory.reclaim(pages: 1) == 0)
      pin.release(dirty: true)
      // The page at 300 has a frame again, and the orphan is free.
      #expect(machine.memory.freePages == 2048 - pages - 1)
      #expect(machine.memory.reclaim(pages: 1) == 1)
      #expect(machine.memory.freePages == 2048 - pages)
      try expectWords(space, but: 300..<301)
    }
  }
}
