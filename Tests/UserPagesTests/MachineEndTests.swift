import Testing

@testable import UserPages

/// A machine that ends while a page of it is held traps, and names the frame: its memory is about to be unmapped.
@Suite struct MachineEndTests {
  /// A get or pin that is still there when its space and machine have gone. Returns it, so that it outlives them.
  private static func heldPage(engine: PinEngine, _ options: PinOptions) throws -> PinnedPage {
    let memory = try PhysicalMemory(ramPages: 16)
    let space = AddressSpace(memory, engine: engine)
    try space.map(at: 0x10000, pages: 1, protection: .readWrite)
    try space.store(UInt64(1), at: 0x10000)
    return try space.pin(at: 0x10000, options)
  }

  private func expectTrap(_ result: ExitTest.Result?, saying words: [String]) throws {
    let output = String(decoding: try #require(result).standardErrorContent, as: UTF8.self)
    for word in words { #expect(output.contains(word), "\(output)") }
  }

  @Test func aCountedGet() async throws {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let get = try Self.heldPage(engine: .reference, .get)
      _ = get.bytes.load(as: UInt8.self)
    }
    try expectTrap(result, saying: ["torn down with gets outstanding", "pfn 1", "references 1, pins 0"])
  }

  @Test func aCountedPin() async throws {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      let pin = try Self.heldPage(engine: .reference, .longTerm)
      _ = pin.bytes.load(as: UInt8.self)
    }
    try expectTrap(result, saying: ["torn down with 1 pins outstanding", "pfn 1", "references 1, pins 1"])
  }

  @Test func aGetOfADevicesFrame() async throws {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      func hold() throws -> PinnedPage {
        let memory = try PhysicalMemory(ramPages: 16)
        let device = try DeviceRange(memory, pages: 2)
        let space = AddressSpace(memory, engine: .reference)
        try space.map(at: 0x10000, pages: 2, protection: .read, sharing: .shared, backing: .mixed(device))
        return try space.pin(at: 0x10000, .get)
      }
      let get = try hold()
      _ = get.bytes.load(as: UInt8.self)
    }
    try expectTrap(result, saying: ["torn down with gets outstanding", "references 1, pins 0"])
  }

  /// The control: what was given back in time ends quietly.
  @Test(arguments: PinEngine.allCases, [PinOptions(), .get, .longTerm])
  func whatWasGivenBackInTime(engine: PinEngine, options: PinOptions) throws {
    weak var ended: PhysicalMemory?
    do {
      let memory = try PhysicalMemory(ramPages: 16)
      ended = memory
      let space = AddressSpace(memory, engine: engine)
      try space.map(at: 0x10000, pages: 1, protection: .readWrite)
      try space.pin(at: 0x10000, options).release()
    }
    #expect(ended == nil)
  }
}
