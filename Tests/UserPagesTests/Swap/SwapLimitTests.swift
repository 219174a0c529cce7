import Foundation
import TestSupport
import Testing

@testable import UserPages

/// Page-outs that cannot, need not or must not be.
@Suite struct SwapLimitTests {
  @Test(arguments: Engines.all)
  func aFullSwapFile(engine: PinEngine) throws {
    try Swapped.withPages(swapPages: 2, engine: engine) { machine, space in
      #expect(throws: PageError.outOfMemory) { try space.advise(at: Swapped.start, pages: 4, .pageOut) }
      #expect((0..<4).map { space.entry(at: Swapped.address($0)).kind } == [.swap, .swap, .normal, .normal])
      for page in 0..<4 { #expect(try space.load(at: Swapped.address(page), as: UInt64.self) == Swapped.word(page)) }
      // Room again, also where a page came back while it was being written.
      for _ in 0..<20 {
        try space.advise(at: Swapped.address(2), pages: 2, .pageOut)
        for page in 2..<4 { try space.store(Swapped.word(page), at: Swapped.address(page)) }
      }
    }
    try Swapped.withPages(1, swapPages: 0, engine: engine) { _, space in
      #expect(throws: PageError.outOfMemory) { try space.advise(at: Swapped.start, pages: 1, .pageOut) }
      #expect(space.entry(at: Swapped.start).description == "normal rw dirty")
    }
  }

  @Test func memoryIsHadByWaitingForTheWriter() throws {
    try Swapped.withPages(8, frames: 8, swapPages: 16) { machine, space in
      try space.map(at: 0x40000, pages: 8, protection: .readWrite)
      for round in 0..<20 {
        try space.advise(at: Swapped.start, pages: 8, .pageOut)
        for page in 0..<8 { try space.store(UInt64(round), at: 0x40000 + page * Page.size) }
        #expect(throws: PageError.outOfMemory) { try space.load(at: Swapped.start, as: UInt64.self) }
        #expect(space.entry(at: Swapped.start).description == "swap")
        try space.advise(at: 0x40000, pages: 8, .dontNeed)
        for page in 0..<8 { #expect(try space.load(at: Swapped.address(page), as: UInt64.self) == Swapped.word(page)) }
      }
    }
  }

  /// A frame that is kept for other spaces that share its page, and that the file has, is as good as free.
  @Test func aCachedFrameIsGivenUpUnderPressure() throws {
    try Swapped.withPages(1, frames: 2) { machine, space in
      try space.advise(at: Swapped.start, pages: 1, .pageOut)
      let child = try space.fork()
      machine.memory.flushDeferredFrees()
      #expect(try space.load(at: Swapped.start, as: UInt64.self) == Swapped.word(0))
      try space.map(at: Swapped.start, pages: 2, protection: .readWrite)
      for page in 0..<2 { try space.store(UInt64(1), at: Swapped.address(page)) }
      #expect(throws: PageError.outOfMemory) { try child.load(at: Swapped.start, as: UInt64.self) }
      space.exit()
      #expect(try child.load(at: Swapped.start, as: UInt64.self) == Swapped.word(0))
      child.exit()
    }
  }

  @Test func aFailedWriteKeepsThePageInMemory() throws {
    try Swapped.withPages(2, frames: 2, swapPages: 2) { machine, space in
      machine.memory.swap.store.writeHook.withLock { $0 = { _, _ in false } }
      try space.advise(at: Swapped.start, pages: 2, .pageOut)
      machine.memory.flushDeferredFrees()
      #expect(machine.memory.freePages == 0)
      #expect(try space.load(at: Swapped.start, as: UInt64.self) == Swapped.word(0))
      try space.advise(at: Swapped.start, pages: 1, .pageOut)
      // A thread that needs a frame has it tried again.
      try space.map(at: 0x40000, pages: 2, protection: .readWrite)
      #expect(throws: PageError.outOfMemory) { try space.store(UInt64(1), at: 0x40000) }
      machine.memory.swap.store.writeHook.withLock { $0 = nil }
      for page in 0..<2 { try space.store(UInt64(1), at: 0x40000 + page * Page.size) }
      try space.unmap(at: 0x40000, pages: 2)
      for page in 0..<2 { #expect(try space.load(at: Swapped.address(page), as: UInt64.self) == Swapped.word(page)) }
    }
  }

  @Test func aFileThatCannotBeRead() throws {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("swap-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    do {
      let memory = try PhysicalMemory(ramPages: 4, swapFile: .file(at: path, pages: 4))
      let space = AddressSpace(memory)
      try space.map(at: Swapped.start, pages: 1, protection: .readWrite)
      try space.store(Swapped.word(0), at: Swapped.start)
      try space.advise(at: Swapped.start, pages: 1, .pageOut)
      memory.flushDeferredFrees()
      let data = try Data(contentsOf: URL(fileURLWithPath: path))
      #expect(data.count == Page.size)
      #expect(data.prefix(8).reversed().reduce(0) { $0 << 8 | UInt64($1) } == Swapped.word(0))
      #expect(truncate(path, 0) == 0)
      #expect(throws: PageError.busErrorOfFile(.readWhole, errno: EIO)) {
        try space.load(at: Swapped.start, as: UInt64.self)
      }
      #expect(throws: PageError.badAddress) { try space.pin(at: Swapped.start).release() }
      #expect(memory.freePages == 4)
    }
    #expect(throws: PageError.file(.open, errno: ENOENT)) {
      _ = try PhysicalMemory(ramPages: 4, swapFile: .file(at: "/nowhere/at/all", pages: 4))
    }
    #expect(throws: PageError.invalidArgument) {
      _ = try PhysicalMemory(ramPages: 4, swapFile: .temporary(pages: -1))
    }
  }

  @Test func slotsGoWithTheirEntries() throws {
    try Swapped.withPages(8) { machine, space in
      let memory = machine.memory
      try space.advise(at: Swapped.start, pages: 8, .pageOut)
      #expect(memory.census().swapSlots == 8)
      try space.unmap(at: Swapped.address(0), pages: 1)
      try space.advise(at: Swapped.address(1), pages: 1, .dontNeed)
      try space.map(at: Swapped.address(2), pages: 1, protection: .read)
      memory.flushDeferredFrees()
      #expect(memory.census().swapSlots == 5)
      #expect(try space.load(at: Swapped.address(1), as: UInt64.self) == 0)
      #expect(try space.load(at: Swapped.address(2), as: UInt64.self) == 0)
      // Moved as they are. What is cut off goes.
      try space.remap(at: Swapped.address(3), pages: 3, to: 0x80000, newPages: 2)
      #expect(memory.census().swapSlots == 4)
      #expect(try space.load(at: 0x81000, as: UInt64.self) == Swapped.word(4))
      let child = try space.fork()
      try child.advise(at: Swapped.address(6), pages: 1, .dontNeed)
      #expect(memory.census().swapSlots == 3)
      child.exit()
      #expect(memory.census().swapSlots == 3)
      #expect(try space.load(at: 0x80000, as: UInt64.self) == Swapped.word(3))
      #expect(try space.load(at: Swapped.address(7), as: UInt64.self) == Swapped.word(7))
      #expect(try space.load(at: Swapped.address(6), as: UInt64.self) == Swapped.word(6))
      #expect(memory.census().swapSlots == 0)
    }
  }

  @Test(arguments: Engines.all)
  func whatStaysAndWhatIsRefused(engine: PinEngine) throws {
    try Swapped.withPages(1, engine: engine) { machine, space in
      let file = try PageCacheFile(machine.memory, pages: 2, fill: 5)
      let image = try Image(machine.memory, pages: 2) { _ in 6 }
      try space.map(at: 0x20000, pages: 2, protection: .readWrite, backing: .file(file))
      try space.map(at: 0x30000, pages: 2, protection: .readWrite, backing: .mixed(image))
      try space.map(at: 0x40000, pages: 2, protection: .readWrite, backing: .pfn(image))
      try space.map(at: 0x50000, pages: 2, protection: .readWrite)
      for start in [0x20000, 0x30000, 0x40000, 0x50000] as [VirtualAddress] {
        _ = try space.load(at: start + 1, count: Page.size)
        try space.store([9], at: start)
      }
      for start in [0x20000, 0x30000, 0x50000] as [VirtualAddress] {
        try space.advise(at: start, pages: 2, .pageOut)
        #expect(space.entry(at: start).description == "swap")
      }
      // Not a private copy, even.
      #expect(throws: PageError.invalidArgument) { try space.advise(at: 0x40000, pages: 2, .pageOut) }
      #expect(
        [0x21000, 0x31000, 0x40000, 0x51000].map { space.entry(at: $0).description }
          == ["none", "special r", "normal rw dirty", "zero r"])
      #expect(try space.load(at: 0x20000, count: 2) == [9, 5])
      #expect(try space.load(at: 0x30000, count: 2) == [9, 6])
      // A hole is told of when the rest is done.
      #expect(throws: PageError.outOfMemory) { try space.advise(at: Swapped.start, pages: 0x12, .pageOut) }
      #expect(space.entry(at: Swapped.start).description == "swap")
      #expect(space.entry(at: 0x20000).description == "swap")
      try space.advise(at: 0x90000, pages: 0, .pageOut)
      #expect(throws: PageError.invalidArgument) { try space.advise(at: 0x10001, pages: 1, .pageOut) }
      // A private file's copies are inherited where they are out, too.
      let child = try space.fork()
      #expect(try child.load(at: 0x20000, count: 2) == [9, 5])
      child.exit()
      space.exit()
      file.drop()
    }
  }
}
