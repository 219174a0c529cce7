import TestSupport
import Testing

@testable import UserPages

/// Guard markers: what they outlast, and what they leave.
@Suite struct GuardTests {
  /// A child gets the markers of every mapping. So it does of shared memory, although it faults those pages anew.
  @Test(arguments: Engines.all) func areInherited(engine: PinEngine) throws {
    let memory = try PhysicalMemory(ramPages: 64)
    do {
      let space = AddressSpace(memory, engine: engine)
      try space.map(at: 0x10000, pages: 2, protection: .readWrite)
      try space.map(at: 0x20000, pages: 2, protection: .readWrite, sharing: .shared)
      for start: VirtualAddress in [0x10000, 0x20000] {
        for page in 0..<2 { try space.store(UInt64(7), at: start + page * Page.size) }
        try space.advise(at: start, pages: 1, .guardInstall)
      }
      let grandchild = try space.fork().fork()
      for start: VirtualAddress in [0x10000, 0x20000] {
        #expect(throws: PageError.segmentationViolation) { try grandchild.load(at: start, as: UInt64.self) }
        #expect(try grandchild.load(at: start + Page.size, as: UInt64.self) == 7)
      }
      // Each space has markers of its own.
      try grandchild.advise(at: 0x20000, pages: 2, .guardRemove)
      #expect(try grandchild.load(at: 0x20000, as: UInt64.self) == 7)
      #expect(throws: PageError.segmentationViolation) { try space.load(at: 0x20000, as: UInt64.self) }
    }
    memory.flushDeferredFrees()
    #expect(memory.census().isClean)
  }

  /// The pages go, one of them from the swap file, and their frames are free.
  @Test(arguments: Engines.all) func freeWhatWasThere(engine: PinEngine) throws {
    let memory = try PhysicalMemory(ramPages: 64, swapFile: .temporary(pages: 16))
    do {
      let space = AddressSpace(memory, engine: engine)
      try space.map(at: 0x10000, pages: 4, protection: .readWrite)
      for page in 0..<4 { try space.store(UInt64(7), at: 0x10000 + page * Page.size) }
      try space.advise(at: 0x11000, pages: 1, .pageOut)
      let pin = try space.pin(at: 0x12000, .write)
      try space.advise(at: 0x11000, pages: 2, .guardInstall)
      memory.flushDeferredFrees()
      #expect(memory.census().framesInUse == 3, "the pin keeps its page")
      #expect(pin.load(as: UInt64.self) == 7)
      pin.release()
      for page in 1...2 { #expect(space.entry(at: 0x10000 + page * Page.size).description == "guard") }
      #expect(throws: PageError.badAddress) { try space.pin(at: 0x11000, .write).release() }
      #expect(throws: PageError.badAddress) { try space.advise(at: 0x10000, pages: 4, .populateWrite) }
      try space.advise(at: 0x10000, pages: 4, .guardRemove)
      #expect(try (0..<4).map { try space.load(at: 0x10000 + $0 * Page.size, as: UInt64.self) } == [7, 0, 0, 7])
    }
    memory.flushDeferredFrees()
    #expect(memory.census().isClean)
  }

  /// A mapping that stays keeps its markers, whatever becomes of its pages. A new mapping has none.
  @Test(arguments: Engines.all) func outlastWhatLeavesTheMapping(engine: PinEngine) throws {
    let memory = try PhysicalMemory(ramPages: 64)
    let file = try PageCacheFile(memory, pages: 2, fill: 7)
    let space = AddressSpace(memory, engine: engine)
    let page: VirtualAddress = 0x10000
    try space.map(at: page, pages: 2, protection: .readWrite, backing: .file(file))
    try space.advise(at: page, pages: 2, .guardInstall)
    try space.advise(at: page, pages: 2, .dontNeed)
    try space.protect(at: page, pages: 2, .none)
    try space.protect(at: page, pages: 2, .readWrite)
    try file.setByteCount(0)
    try file.setByteCount(2 * Page.size)
    #expect(space.entry(at: page).kind == .guardMarker)
    try space.remap(at: page, pages: 2, to: 0x20000, newPages: 2)
    #expect(space.entry(at: 0x20000).kind == .guardMarker && space.entry(at: page).kind == .none)
    try space.map(at: 0x20000, pages: 1, protection: .read)
    #expect(try space.load(at: 0x20000, as: UInt64.self) == 0)
    #expect(throws: PageError.segmentationViolation) { try space.load(at: 0x21000, as: UInt64.self) }
  }

  /// 2 MiB of which a part is guarded are split. Whole ones go at once, and a node of markers is in their place.
  @Test(arguments: Engines.all) func replaceHugeEntries(engine: PinEngine) throws {
    try withHugePages(engine: engine) { machine, space in
      try space.mapNumbered(pages: 1024)
      try space.advise(at: hugeBase.page(3), pages: 1, .guardInstall)
      #expect(space.says(hugeBase.page(3)) == "guard" && space.says(hugeBase.page(4)) == "normal rw dirty")
      #expect(try space.firstUnnumbered(pages: 4..<1024) == nil)
      #expect(throws: PageError.invalidArgument) { try space.advise(at: hugeBase, pages: 512, .collapse) }
      try space.advise(at: hugeBase.page(512), pages: 512, .guardInstall)
      for page in [512, 700, 1023] { #expect(space.says(hugeBase.page(page)) == "guard") }
      machine.memory.flushDeferredFrees()
      #expect(machine.memory.census().framesInUse == 512)
      try space.unmap(at: hugeBase, pages: 1024)
    }
  }
}
