/// The smallest machine that the protocols run on: one space, one page with a known content.
struct Setting {
  static let address: VirtualAddress = 0x7000_0000
  static let content: UInt64 = 0x1111
  /// What another owner of the frame would write.
  static let foreign: UInt64 = 0x2222

  let memory: PhysicalMemory
  let space: AddressSpace
  private let freeAtStart: Int

  init(engine: PinEngine, wasPinned: Bool = false) {
    // The allocator's shards meet if there are fewer frames than these.
    memory = try! PhysicalMemory(ramPages: 256, spanPages: 2048)
    freeAtStart = memory.freePages
    space = AddressSpace(memory, engine: engine)
    try! space.map(at: Self.address, pages: 1, protection: .readWrite)
    try! space.store(Self.content, at: Self.address)
    if wasPinned { try! space.pin(at: Self.address, [.write, .fastOnly]).release() }
  }

  /// Pins the page as a device would, looks at it, and releases it. It may be gone.
  func pinAndLook() {
    guard let pin = try? space.pin(at: Self.address, .fastOnly) else { return }
    check(pin.load(as: UInt64.self) == Self.content, "a pinned page changed")
    pin.release()
  }

  /// Everything that was taken is back.
  func end() {
    space.exit()
    memory.flushDeferredFrees()
    // The space lives on, with the highest node of its table.
    let left = memory.census()
    check(
      left == Census(framesInUse: 0, tableNodes: 1, mapcounts: 0, pins: 0, references: 0), "something leaked")
    check(memory.freePages == freeAtStart, "frames leaked")
  }
}
