import TestSupport
import Testing

@testable import UserPages

/// A frame with as many references as may be: every way to another one is refused with `ENOMEM`, and changes nothing.
@Suite struct ReferenceLimitTests {
  private static let start = VirtualAddress(1 << 30)
  private static let holds: [PinOptions] = [[], .get, .write, [.get, .write], .longTerm, [.longTerm, .write]]

  /// Makes the frame behind `pfn` look as if it had `limit` references, for as long as `body` runs.
  private func withFullFrame(_ memory: PhysicalMemory, _ pfn: PFN, _ body: () throws -> Void) throws {
    let counts = memory.frames.folio(of: pfn).descriptor
    counts.pointee.counts.wrappingAdd(Frame.limit, ordering: .relaxed)
    let full = counts.pointee.counts.load(ordering: .relaxed)
    try body()
    #expect(counts.pointee.counts.load(ordering: .relaxed) == full, "a refused attempt changed the counts")
    counts.pointee.counts.wrappingSubtract(Frame.limit, ordering: .relaxed)
  }

  @Test(arguments: [PinEngine.locked, .reference], [1, 512])
  func gets(engine: PinEngine, pages: Int) throws {
    let machine = try Machine(frames: 2048)
    do {
      let space = AddressSpace(machine.memory, engine: engine)
      try space.map(at: Self.start, pages: pages, protection: .readWrite, hugePages: pages == 512)
      try space.store(UInt64(1), at: Self.start)
      let pfn = try space.pfn(Self.start)
      #expect(machine.memory.frames.frame(pfn).has(Frame.hugeBit) == (pages == 512))
      try withFullFrame(machine.memory, pfn) {
        for options in Self.holds {
          #expect(throws: PageError.outOfMemory) { try space.pin(at: Self.start, options).release() }
          #expect(throws: PageError.outOfMemory) { try space.pin(at: Self.start, pages: pages, options).release() }
          if engine != .locked {
            #expect(throws: PageError.tryAgain) { try space.pin(at: Self.start, options.union(.fastOnly)).release() }
            let pins = try space.pin(at: Self.start, pages: pages, options.union(.fastOnly))
            #expect(pins.count == 0)
            pins.release()
          }
        }
        #expect(throws: PageError.outOfMemory) { _ = try space.fork() }
      }
      for options in Self.holds { try space.pin(at: Self.start, options).release() }
      try space.fork().exit()
    }
    #expect(machine.leaks() == [])
  }

  /// Makes the huge frame behind `pfn` look as if as many entries mapped it whole as may, for as long as `body` runs.
  private func withAllHugeMappings(_ memory: PhysicalMemory, _ pfn: PFN, _ body: () throws -> Void) throws {
    let state = memory.frames.frame(pfn).descriptor
    let more = UInt64(Frame.hugeMappingLimit - memory.frames.frame(pfn).hugeMapCount) << Frame.hugeMapShift
    state.pointee.state.wrappingAdd(more, ordering: .relaxed)
    try body()
    #expect(memory.frames.frame(pfn).hugeMapCount == Frame.hugeMappingLimit, "a refused attempt changed the count")
    state.pointee.state.wrappingSubtract(more, ordering: .relaxed)
  }

  @Test(arguments: Engines.all)
  func hugeMappingsOfAForkAndOfAFile(engine: PinEngine) throws {
    let machine = try Machine(frames: 2048)
    do {
      let space = AddressSpace(machine.memory, engine: engine)
      try space.map(at: Self.start, pages: 512, protection: .readWrite, hugePages: true)
      try space.store(UInt64(1), at: Self.start)
      let pfn = try space.pfn(Self.start)
      #expect(machine.memory.frames.frame(pfn).hugeMapCount == 1)
      try withAllHugeMappings(machine.memory, pfn) {
        #expect(throws: PageError.outOfMemory) { _ = try space.fork() }
      }
      let child = try space.fork()
      #expect(machine.memory.frames.frame(pfn).hugeMapCount == 2)
      child.exit()

      let file = try PageCacheFile(machine.memory, pages: 512)
      let (one, other) = (Self.start + (1 << 30), Self.start + (2 << 30))
      for address in [one, other] {
        try space.map(
          at: address, pages: 512, protection: .read, sharing: .shared, backing: .file(file), hugePages: true)
      }
      _ = try space.load(at: one, as: UInt8.self)
      let cached = try space.pfn(one)
      #expect(machine.memory.frames.frame(cached).hugeMapCount == 1)
      try withAllHugeMappings(machine.memory, cached) {
        #expect(throws: PageError.outOfMemory) { try space.load(at: other, as: UInt8.self) }
      }
      _ = try space.load(at: other, as: UInt8.self)
      #expect(machine.memory.frames.frame(cached).hugeMapCount == 2)
    }
    #expect(machine.leaks() == [])
  }

  /// A slot adds nothing to the counts, for a page or for a range: what has a slot is refused only once those are
  /// taken.
  @Test func slots() throws {
    let machine = try Machine(frames: 16)
    do {
      let space = AddressSpace(machine.memory, engine: .slot)
      try space.map(at: Self.start, pages: 1, protection: .readWrite)
      try space.store(UInt64(1), at: Self.start)
      let pfn = try space.pfn(Self.start)
      try withFullFrame(machine.memory, pfn) {
        try space.pin(at: Self.start).release()
        #expect(throws: PageError.outOfMemory) { try space.pin(at: Self.start, .longTerm).release() }
        try space.pin(at: Self.start, pages: 1).release()
        #expect(throws: PageError.outOfMemory) { try space.pin(at: Self.start, pages: 1, .longTerm).release() }
      }
    }
    #expect(machine.leaks() == [])
  }

  @Test func mappingsOfAFile() throws {
    let machine = try Machine(frames: 16)
    do {
      let (space, other) = (AddressSpace(machine.memory), AddressSpace(machine.memory))
      let file = try PageCacheFile(machine.memory, pages: 1)
      for space in [space, other] {
        try space.map(at: Self.start, pages: 1, protection: .readWrite, sharing: .shared, backing: .file(file))
      }
      try space.store(UInt64(1), at: Self.start)
      let pfn = try space.pfn(Self.start)
      try withFullFrame(machine.memory, pfn) {
        #expect(throws: PageError.outOfMemory) { try other.load(at: Self.start, as: UInt8.self) }
        #expect(throws: PageError.outOfMemory) { _ = try file.read(at: 0, count: 1) }
        #expect(throws: PageError.outOfMemory) { try other.insertPage(pfn, at: Self.start) }
      }
      #expect(try other.load(at: Self.start, as: UInt64.self) == 1)
    }
    #expect(machine.leaks() == [])
  }
}
