import TestSupport
import Testing

@testable import UserPages

/// Secret memory: the program's own accesses reach it, and nothing that would hold a page does.
@Suite struct SecretMemoryTests {
  @Test(arguments: Engines.all) func noPinReachesIt(engine: PinEngine) throws {
    let memory = try PhysicalMemory(ramPages: 64)
    do {
      let space = AddressSpace(memory, engine: engine)
      try space.map(at: 0x10000, pages: 2, protection: .readWrite, sharing: .shared, backing: .secret)
      // Before the first access, and after.
      for _ in 0..<2 {
        for options in [PinOptions.write, [], .longTerm, .get, [.get, .write], [.get, .force]] {
          #expect(throws: PageError.badAddress) { try space.pin(at: 0x10000, options).release() }
          #expect(throws: PageError.badAddress) { try space.pin(at: 0x10000, pages: 2, options).release() }
        }
        #expect(throws: PageError.tryAgain) { try space.pin(at: 0x10000, [.write, .fastOnly]).release() }
        #expect(throws: PageError.badAddress) { try space.readRemotely(at: 0x10000, count: 1) }
        try space.store(UInt64(7), at: 0x10000)
      }
      #expect(space.frameInformation(at: 0x10000) == nil && space.entry(at: 0x10000).kind == .special)
      #expect(try space.load(at: 0x10000, as: UInt64.self) == 7)
      let page = try memory.allocate()
      #expect(throws: PageError.invalidArgument) { try space.insertPage(page.pfn, at: 0x11000) }
    }
    memory.flushDeferredFrees()
    #expect(memory.census().isClean)
  }

  /// The frames stay as long as one space maps the memory.
  @Test(arguments: Engines.all) func itIsShared(engine: PinEngine) throws {
    let memory = try PhysicalMemory(ramPages: 64)
    do {
      let space = AddressSpace(memory, engine: engine)
      try space.map(at: 0x10000, pages: 2, protection: .readWrite, sharing: .shared, backing: .secret)
      try space.store(UInt64(7), at: 0x11000)
      let child = try space.fork()
      space.exit()
      memory.flushDeferredFrees()
      #expect(try child.load(at: 0x11000, as: UInt64.self) == 7)
      // A child's copy of the mapping is not locked. The page comes back as it was.
      try child.advise(at: 0x10000, pages: 2, .dontNeed)
      #expect(try child.load(at: 0x11000, as: UInt64.self) == 7)
      #expect(memory.census().framesInUse == 1)
      #expect(throws: PageError.invalidArgument) {
        try child.map(at: 0x20000, pages: 1, protection: .readWrite, backing: .secret)
      }
    }
    memory.flushDeferredFrees()
    #expect(memory.census().isClean && memory.freePages == 64)
  }
}
