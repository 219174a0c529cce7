import Testing
import UserPages

/// A fork that finds no frame for the copies of pinned pages fails, and changes nothing that a pin or the program can
/// see.
@Test(arguments: PinEngine.allCases, [PinOptions.write, [.write, .longTerm]])
func failedForkKeepsPinnedPages(engine: PinEngine, options: PinOptions) throws {
  let memory = try PhysicalMemory(ramPages: 5)
  do {
    let space = AddressSpace(memory, engine: engine)
    try space.map(at: 0x10000, pages: 4, protection: .readWrite)
    for page in 0..<4 { try space.store(UInt64(page), at: 0x10000 + page * Page.size) }
    let first = try space.pin(at: 0x10000, options)
    let second = try space.pin(at: 0x11000, options)
    let third = try space.pin(at: 0x12000, options)
    let fourth = try space.pin(at: 0x13000, options)
    // One frame is free: the first page can be copied, the second cannot, the others are never come to.
    #expect(throws: PageError.outOfMemory) { _ = try space.fork() }
    memory.flushDeferredFrees()
    for page in 0..<4 { try space.store(UInt64(page + 10), at: 0x10000 + page * Page.size) }
    #expect(first.deviceBytes.load(as: UInt64.self) == 10)
    #expect(second.deviceBytes.load(as: UInt64.self) == 11)
    #expect(third.deviceBytes.load(as: UInt64.self) == 12)
    #expect(fourth.deviceBytes.load(as: UInt64.self) == 13)
    space.exit()
    _ = (first.pfn, second.pfn, third.pfn, fourth.pfn)
  }
  memory.flushDeferredFrees()
  #expect(memory.census().isClean)
}
