import TestSupport
import Testing

@testable import UserPages

/// Pins of memory that was read and never written: the fast path takes the zero page for reading alone.
@Suite struct ZeroPagePinTests {
  private static let start: VirtualAddress = 0x10_0000
  private func page(_ index: Int) -> VirtualAddress { Self.start + index * Page.size }

  private func withZeroes(
    engine: PinEngine, pages: Int = 8, protection: Protection = .readWrite,
    _ body: (Machine, AddressSpace) throws -> Void
  ) throws {
    let machine = try Machine(frames: 64)
    do {
      let space = AddressSpace(machine.memory, engine: engine)
      try space.map(at: Self.start, pages: pages, protection: protection)
      for index in 0..<pages { _ = try space.load(at: page(index), as: UInt8.self) }
      #expect(space.entry(at: page(0)).description == "zero r")
      try body(machine, space)
      space.exit()
    }
    #expect(machine.leaks() == [])
  }

  @Test(arguments: Engines.lockless, [[], .get, .force, .noFault] as [PinOptions])
  func aPinForReadingIsFast(engine: PinEngine, options: PinOptions) throws {
    try withZeroes(engine: engine) { machine, space in
      let before = space.counters
      // Anywhere in the page, also in the mapping's last.
      let pin = try space.pin(at: page(7) + 5, options)
      #expect(space.counters.fast == before.fast + 1 && space.counters.slow == before.slow)
      #expect(pin.pfn == machine.memory.zeroPage && pin.deviceBytes.load(as: UInt64.self) == 0)
      let information = machine.memory.frameInformation(of: machine.memory.zeroPage)
      #expect(information?.pinCount == (options == .get ? 0 : 1))
      // The program leaves the page. The pin keeps it, as everywhere.
      try space.store(UInt8(9), at: page(7))
      #expect(pin.deviceBytes.load(as: UInt64.self) == 0)
      pin.release()
    }
  }

  @Test(arguments: Engines.lockless, [.write, .longTerm, [.write, .longTerm]] as [PinOptions])
  func aPinThatNeedsAPageOfItsOwnIsSlow(engine: PinEngine, options: PinOptions) throws {
    try withZeroes(engine: engine) { machine, space in
      #expect(throws: PageError.tryAgain) { try space.pin(at: page(0), options.union(.fastOnly)).release() }
      let before = space.counters
      let pin = try space.pin(at: page(0), options)
      #expect(space.counters.slow == before.slow + 1)
      try space.store(UInt8(9), at: page(0))
      #expect(pin.deviceBytes.load(as: UInt8.self) == 9)
      pin.release()
    }
  }

  @Test(arguments: Engines.lockless) func aRangeIsFast(engine: PinEngine) throws {
    try withZeroes(engine: engine, pages: 200) { machine, space in
      try space.store(UInt8(7), at: page(100))
      let before = space.counters
      let pins = try space.pin(at: page(0), pages: 200)
      #expect(space.counters.fast == before.fast + 200 && space.counters.slow == before.slow)
      #expect(pins.count == 200 && machine.memory.census().pins == 200)
      for index in 0..<200 {
        #expect(pins.deviceBytes(at: index).load(as: UInt8.self) == (index == 100 ? 7 : 0))
        #expect((pins.pfn(at: index) == machine.memory.zeroPage) == (index != 100))
      }
      pins.release()
      // It ends with the mapping, whatever lies behind.
      let numbers = try DeviceRange(machine.memory, pages: 1)
      try space.map(
        at: page(200), pages: 1, protection: .read, sharing: .shared, backing: .pfn(numbers, isIO: false))
      _ = try space.load(at: page(200), as: UInt8.self)
      let rest = try space.pin(at: page(190), pages: 20)
      #expect(rest.count == 10)
      rest.release()
    }
  }

  @Test(arguments: Engines.lockless) func zeroesBehindOneEntryOf2MiB(engine: PinEngine) throws {
    try withHugePages(engine: engine) { machine, space in
      try space.mapHuge(pages: 512)
      _ = try space.load(at: hugeBase.page(9), as: UInt8.self)
      let before = space.counters
      let pin = try space.pin(at: hugeBase.page(400))
      let pins = try space.pin(at: hugeBase.page(100), pages: 412, .fastOnly)
      #expect(pins.count == 412 && machine.memory.census().pins == 413)
      #expect(space.counters.slow == before.slow)
      #expect(pins.pfn(at: 411) == machine.memory.zeroPage && pin.pfn == machine.memory.zeroPage)
      pin.release()
      pins.release()
    }
  }

  /// When no slot is free the counts hold it, still by the fast path.
  @Test(arguments: Engines.lockless) func manyAtOnceAreFast(engine: PinEngine) throws {
    try withZeroes(engine: engine) { machine, space in
      let before = space.counters.slow
      func hold(_ more: Int) throws {
        guard more > 0 else {
          #expect(machine.memory.census().pins == 200)
          return
        }
        let pin = try space.pin(at: page(more % 8))
        let pins = try space.pin(at: page(more % 8), pages: 1)
        try hold(more - 1)
        pin.release()
        pins.release()
      }
      try hold(100)
      #expect(space.counters.slow == before)
      #expect(machine.memory.census().pins == 0)
    }
  }

  /// The mapping has its say: where only stores are allowed, a pin for reading is refused, and a debugger's is not.
  @Test(arguments: Engines.all) func aMappingThatMayNotBeReadRefuses(engine: PinEngine) throws {
    try withZeroes(engine: engine, protection: .write) { _, space in
      #expect(throws: PageError.badAddress) { try space.pin(at: page(0)).release() }
      try space.pin(at: page(0), .force).release()
    }
  }

  /// A mapping by number may show that frame, too. It is never pinned. A mixed one may.
  @Test(arguments: Engines.all) func aMappingByNumberRefuses(engine: PinEngine) throws {
    final class Zeroes: Backing {
      let pfn: PFN
      init(_ pfn: PFN) { self.pfn = pfn }
      var pageCount: Int { 2 }
      func fault(page: Int, write: Bool) -> FaultAnswer { .frameNumber(pfn, writable: false) }
    }
    try withZeroes(engine: engine) { machine, space in
      let zeroes = Zeroes(machine.memory.zeroPage)
      try space.map(at: page(16), pages: 2, protection: .read, sharing: .shared, backing: .pfn(zeroes, isIO: false))
      try space.map(at: page(32), pages: 2, protection: .read, sharing: .shared, backing: .mixed(zeroes))
      for index in [16, 17, 32, 33] {
        _ = try space.load(at: page(index), as: UInt8.self)
        #expect(space.entry(at: page(index)).description == "zero r")
      }
      for options in [[], .get, .force] as [PinOptions] {
        #expect(throws: PageError.badAddress) { try space.pin(at: page(16), options).release() }
        #expect(throws: PageError.badAddress) { try space.pin(at: page(16), pages: 2, options).release() }
        try space.pin(at: page(32), options).release()
        try space.pin(at: page(32), pages: 2, options).release()
      }
      #expect(throws: PageError.tryAgain) { try space.pin(at: page(16), .fastOnly).release() }
    }
  }
}
