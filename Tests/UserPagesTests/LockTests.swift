import TestSupport
import Testing

@testable import UserPages

/// Locked memory: faulted in, and left alone by whatever takes pages out.
@Suite struct LockTests {
  @Test(arguments: Engines.all) func reclaimPassesItBy(engine: PinEngine) throws {
    let memory = try PhysicalMemory(ramPages: 64, swapFile: .temporary(pages: 32))
    do {
      let space = AddressSpace(memory, engine: engine)
      try space.map(at: 0x10000, pages: 8, protection: .readWrite)
      try space.lock(at: 0x12000, pages: 2)
      for page in 0..<8 { try space.store(UInt64(page), at: 0x10000 + page * Page.size) }
      // A child that shares the pages holds no lock, and its entries go. The frames stay for the parent.
      let child = try space.fork()
      #expect(memory.reclaim(pages: 8) == 6)
      let isIn = (0..<8).map { space.frameInformation(at: 0x10000 + $0 * Page.size) != nil }
      #expect(isIn == [false, false, true, true, false, false, false, false])
      for page in 0..<8 { #expect(try child.load(at: 0x10000 + page * Page.size, as: UInt64.self) == UInt64(page)) }
      try space.unlock(at: 0x12000, pages: 2)
      child.exit()
      #expect(memory.reclaim(pages: 8) == 8)
      #expect(try space.load(at: 0x12000, as: UInt64.self) == 2)
    }
    memory.flushDeferredFrees()
    #expect(memory.census().isClean)
  }

  /// The page of a file stays if any mapping of it is locked.
  @Test func evictionPassesItBy() throws {
    try CacheStage.run(pages: 4) { stage in
      let other = AddressSpace(stage.memory)
      try other.map(at: stage.start, pages: 4, protection: .read, sharing: .shared, backing: .file(stage.cache))
      for space in [stage.space, other] { #expect(try space.load(at: stage.start, count: 4 * Page.size).count > 0) }
      try stage.space.lock(at: stage.address(1), pages: 1)
      stage.cache.waitForReads()
      #expect(stage.cache.evict(4) == 3)
      #expect(
        stage.space.frameInformation(at: stage.address(1)) != nil
          && stage.space.frameInformation(at: stage.address(0)) == nil)
      try stage.space.unlock(at: stage.address(1), pages: 1)
      #expect(stage.cache.evict(4) == 1)
      other.exit()
    }
  }

  @Test func adviceThatTakesPagesIsRefused() throws {
    let memory = try PhysicalMemory(ramPages: 64, swapFile: .temporary(pages: 8))
    let space = AddressSpace(memory)
    try space.map(at: 0x10000, pages: 1, protection: .readWrite)
    try space.lock(at: 0x10000, pages: 1)
    try space.store(UInt64(7), at: 0x10000)
    for advice in [Advice.dontNeed, .pageOut, .cold, .guardInstall] {
      #expect(throws: PageError.invalidArgument) { try space.advise(at: 0x10000, pages: 1, advice) }
    }
    #expect(try space.load(at: 0x10000, as: UInt64.self) == 7)
    let child = try space.fork()
    try child.advise(at: 0x10000, pages: 1, .dontNeed)
    #expect(try child.load(at: 0x10000, as: UInt64.self) == 0)
  }

  /// Private memory is faulted in for writing, so that the first store takes no fault.
  @Test(arguments: Engines.all) func pagesAreFaultedIn(engine: PinEngine) throws {
    let memory = try PhysicalMemory(ramPages: 64)
    let file = try PageCacheFile(memory, pages: 2, fill: 7)
    let space = AddressSpace(memory, engine: engine)
    try space.map(at: 0x10000, pages: 2, protection: .readWrite, backing: .file(file))
    try space.lock(at: 0x10000, pages: 2)
    #expect(space.frameInformation(at: 0x11000)?.isExclusive == true)
    // A mapping that becomes writable, and one that grows.
    try space.map(at: 0x20000, pages: 1, protection: .read, backing: .file(file))
    try space.lock(at: 0x20000, pages: 1)
    #expect(space.frameInformation(at: 0x20000)?.isExclusive == false)
    try space.protect(at: 0x20000, pages: 1, .readWrite)
    #expect(space.frameInformation(at: 0x20000)?.isExclusive == true)
    try space.remap(at: 0x20000, pages: 1, to: 0x20000, newPages: 2)
    #expect(space.frameInformation(at: 0x21000)?.isExclusive == true)
    #expect(throws: PageError.outOfMemory) { try space.lock(at: 0x10000, pages: 3) }
    #expect(throws: PageError.invalidArgument) { try space.lock(at: 0x10000, pages: Int.max) }
    #expect(throws: PageError.invalidArgument) { try space.unlock(at: 0x10000, pages: -1) }
  }
}
