import Testing
import UserPages

/// Borrowing a page for a moment: no pin, no reference.
@Suite struct WithPageTests {
  private func withSpace(_ engine: PinEngine = .reference, _ body: (AddressSpace) throws -> Void) throws {
    let memory = try PhysicalMemory(ramPages: 64)
    do {
      let space = AddressSpace(memory, engine: engine)
      try body(space)
      space.exit()
    }
    memory.flushDeferredFrees()
    #expect(memory.census().isClean)
  }

  @Test(arguments: PinEngine.allCases) func faultsInWhatIsMissing(engine: PinEngine) throws {
    try withSpace(engine) { space in
      try space.map(at: 0x10000, pages: 2, protection: .readWrite)
      #expect(try space.withPage(at: 0x10008, for: .read) { $0.load(fromByteOffset: 8, as: UInt64.self) } == 0)
      #expect(space.entry(at: 0x10000).description == "zero r")
      try space.withPage(at: 0x10008, for: .write) { $0.store(UInt64(7), toByteOffset: 8) }
      #expect(space.entry(at: 0x10000).description == "normal rw dirty")
      #expect(try space.load(at: 0x10008, as: UInt64.self) == 7)
    }
  }

  @Test func holdsNothing() throws {
    try withSpace { space in
      try space.map(at: 0x10000, pages: 1, protection: .readWrite)
      try space.withPage(at: 0x10000, for: .write) { page in
        page.store(UInt8(1))
        #expect(RCU.isReading)
        #expect(space.frameInformation(at: 0x10000)?.referenceCount == 1)
        #expect(space.frameInformation(at: 0x10000)?.pinCount == 0)
      }
      #expect(!RCU.isReading)
      #expect(space.counters.fast == 0 && space.counters.slow == 0)
    }
  }

  @Test func breaksCopyOnWriteForWritingOnly() throws {
    try withSpace { space in
      try space.map(at: 0x10000, pages: 1, protection: .readWrite)
      try space.store(UInt64(1), at: 0x10000)
      let child = try space.fork()
      #expect(try child.withPage(at: 0x10000, for: .read) { $0.load(as: UInt64.self) } == 1)
      #expect(child.counters.copies == 0)
      try child.withPage(at: 0x10000, for: .write) { $0.store(UInt64(2)) }
      #expect(child.counters.copies == 1)
      #expect(try space.withPage(at: 0x10000, for: .read) { $0.load(as: UInt64.self) } == 1)
      child.exit()
    }
  }

  @Test func copiesWholePieces() throws {
    try withSpace { space in
      try space.map(at: 0x10000, pages: 1, protection: .readWrite)
      let bytes: [UInt8] = [1, 2, 3, 4, 5]
      try space.withPage(at: 0x10000, for: .write) { $0.copy(from: bytes.span.bytes, toByteOffset: 4091) }
      var read = [UInt8](repeating: 0, count: 5)
      try space.withPage(at: 0x10000, for: .read) { page in
        var span = read.mutableSpan
        var raw = span.mutableBytes
        page.copy(into: &raw, fromByteOffset: 4091)
      }
      #expect(read == bytes)
    }
  }

  @Test func saysWhyThereIsNoPage() throws {
    try withSpace { space in
      try space.map(at: 0x10000, pages: 1, protection: .read)
      #expect(throws: PageError.segmentationViolation) { try space.withPage(at: 0x20000, for: .read) { _ in () } }
      #expect(throws: PageError.segmentationViolation) { try space.withPage(at: 0x10000, for: .write) { _ in () } }
      #expect(throws: PageError.segmentationViolation) { try space.withPage(at: .limit, for: .read) { _ in () } }
    }
  }

  private struct Refusal: Error, Equatable {
    let byte: UInt8
  }

  @Test func aClosureMayThrow() throws {
    try withSpace { space in
      try space.map(at: 0x10000, pages: 1, protection: .readWrite)
      try space.store(UInt8(7), at: 0x10000)
      #expect(throws: Refusal(byte: 7)) {
        try space.withPage(at: 0x10000, for: .read) { page throws -> Int in throw Refusal(byte: page.load()) }
      }
      #expect(!RCU.isReading)
      // The table's own error comes first.
      #expect(throws: PageError.segmentationViolation) {
        try space.withPage(at: 0x20000, for: .read) { _ throws -> Int in throw Refusal(byte: 0) }
      }
      // A closure that does not throw leaves the error's type known.
      func first() throws(PageError) -> UInt8 { try space.withPage(at: 0x10000, for: .read) { $0.load() } }
      #expect(try first() == 7)
    }
  }

  @Test func aSectionOverManyPins() throws {
    try withSpace(.slot) { space in
      try space.map(at: 0x10000, pages: 8, protection: .readWrite)
      try space.advise(at: 0x10000, pages: 8, .populateWrite)
      let sum = try RCU.read { () throws(PageError) -> Int in
        var sum = 0
        for page in 0..<8 {
          let pin = try space.pin(at: VirtualAddress(0x10000) + page * Page.size, .fastOnly)
          sum += Int(pin.deviceBytes.load(as: UInt8.self)) + 1
          pin.release()
        }
        return sum
      }
      #expect(sum == 8)
      #expect(space.counters.fast == 8)
      // What the fast path cannot do it says at once. It does not fault inside the section.
      #expect(throws: PageError.tryAgain) {
        try RCU.read { () throws(PageError) in try space.pin(at: 0x90000, .fastOnly).release() }
      }
    }
  }
}
