import TestSupport
import Testing
import UserPages

/// What a fork's child gets of memory that was advised to be wiped: a mapping, and none of its pages.
struct InheritanceTests {
  @Test(arguments: PinEngine.allCases)
  func aWipedRange(engine: PinEngine) throws {
    let memory = try PhysicalMemory(ramPages: 64)
    do {
      let space = AddressSpace(memory, engine: engine)
      try space.map(at: 0x10000, pages: 3, protection: .readWrite)
      for page in 0..<3 { try space.store(UInt64(page + 1), at: 0x10000 + page * Page.size) }
      try space.advise(at: 0x11000, pages: 1, .wipeOnFork)
      let pin = try space.pin(at: 0x11000, .write)
      let child = try space.fork()
      // Nothing was shared, so nothing was copied for the pin, and the parent's store copies nothing.
      #expect(memory.census().framesInUse == 3)
      try space.store(UInt64(20), at: 0x11000)
      #expect(memory.census().framesInUse == 3)
      #expect(pin.load(as: UInt64.self) == 20)
      let seen = try (0..<3).map { try child.load(at: 0x10000 + $0 * Page.size, as: UInt64.self) }
      #expect(seen == [1, 0, 3])
      // The child's children find zeroes as well, until the advice is taken back.
      try child.store(UInt64(30), at: 0x11000)
      #expect(try child.fork().load(at: 0x11000, as: UInt64.self) == 0)
      try child.advise(at: 0x11000, pages: 1, .keepOnFork)
      #expect(try child.fork().load(at: 0x11000, as: UInt64.self) == 30)
      pin.release()
    }
    memory.flushDeferredFrees()
    #expect(memory.census().isClean)
  }

  /// Advice that makes neighbours alike: they become one mapping, while another thread frees what was replaced. No
  /// look is at a mapping that was given to the queue. AddressSanitizer would notice.
  @Test func neighboursThatBecomeOneMapping() throws {
    let memory = try PhysicalMemory(ramPages: 64)
    do {
      let space = AddressSpace(memory)
      let file = try PageCacheFile(memory, pages: 4)
      try space.map(at: 0x10000, pages: 4, protection: .readWrite)
      try space.map(at: 0x20000, pages: 4, protection: .readWrite, sharing: .shared, backing: .file(file))
      let isOver = Locked(false)
      let drain = CheckedThread { while !isOver.withLock({ $0 }) { memory.flushDeferredFrees() } }
      for turn in 0..<200 {
        for start: VirtualAddress in [0x10000, 0x20000] {
          try space.advise(at: start + (turn % 4) * Page.size, pages: 1, .dontFork)
          #expect(space.mapping(at: start)?.range.upperBound == start + max(turn % 4, 1) * Page.size)
          try space.advise(at: start, pages: 4, turn % 2 == 0 ? .dontFork : .doFork)
          #expect(space.mapping(at: start)?.range.upperBound == start + 4 * Page.size)
          try space.advise(at: start, pages: 4, .doFork)
        }
      }
      isOver.withLock { $0 = true }
      try drain.join()
      file.drop()
    }
    memory.flushDeferredFrees()
    #expect(memory.census().isClean)
  }

  /// A page is cold as soon as the program says so: the next round of reclaim takes it, and leaves one that was used.
  @Test func aColdPage() throws {
    let memory = try PhysicalMemory(ramPages: 64, swapFile: .temporary(pages: 16))
    let space = AddressSpace(memory)
    try space.map(at: 0x10000, pages: 8, protection: .readWrite)
    for page in 0..<8 { try space.store(UInt64(page), at: 0x10000 + page * Page.size) }
    try space.advise(at: 0x14000, pages: 1, .cold)
    #expect(memory.reclaim(pages: 1) >= 1)
    let frames = (0..<8).map { space.frameInformation(at: 0x10000 + $0 * Page.size) }
    #expect(frames.indices.filter { frames[$0] == nil } == [4])
    for page in 0..<8 { #expect(try space.load(at: 0x10000 + page * Page.size, as: UInt64.self) == UInt64(page)) }
  }
}
