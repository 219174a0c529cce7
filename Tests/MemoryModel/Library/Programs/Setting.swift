/// The smallest machine that the protocols run on: one space, one page with a known content.
struct Setting {
  static let address: VirtualAddress = 0x7000_0000
  static let content: UInt64 = 0x1111
  /// What another owner of the frame would write.
  static let foreign: UInt64 = 0x2222
  /// A third value.
  static let other: UInt64 = 0x3333

  let memory: PhysicalMemory
  let space: AddressSpace
  private let others = Others()
  private let freeAtStart: Int

  /// Spaces that outlive the threads. The end of a space drains queues, which other programs are about.
  private final class Others: @unchecked Sendable {
    var spaces: [AddressSpace] = []
  }

  /// - Parameters:
  ///   - pages: how many pages the space maps; the first is touched.
  ///   - wasPinned: whether the page was pinned before.
  ///   - swapPages: how many pages fit in the swap file.
  ///   - isMovable: whether its frame is one that a long-term pin moves the page out of.
  init(
    engine: PinEngine, pages: Int = 1, wasPinned: Bool = false, swapPages: Int = 0, isMovable: Bool = false
  ) {
    // The allocator's shards meet if there are fewer frames than these.
    memory = try! PhysicalMemory(
      ramPages: isMovable ? 512 : 256, movablePages: isMovable ? 256 : 0, spanPages: 2048,
      swapFile: swapPages > 0 ? .temporary(pages: swapPages) : .none)
    freeAtStart = memory.freePages
    space = AddressSpace(memory, engine: engine)
    try! space.map(at: Self.address, pages: pages, protection: .readWrite)
    try! space.store(Self.content, at: Self.address)
    if wasPinned { try! space.pin(at: Self.address, [.write, fastOnly]).release() }
  }

  /// What a pin takes that is resident. The engine `locked` has no fast path: each of its pins goes the slow way.
  var fastOnly: PinOptions { space.engine == .locked ? [] : .fastOnly }

  /// Pins the page as a device would, looks at it, and releases it. It may be gone.
  func pinAndLook(_ options: PinOptions? = nil, at address: VirtualAddress = address) {
    guard let pin = try? space.pin(at: address, options ?? fastOnly) else { return }
    check(pin.load(as: UInt64.self) == Self.content, "a pinned page changed")
    pin.release()
  }

  /// Pins the page for writing, and stores as the program does. The pinned page must be the program's.
  func pinAndStore(_ options: PinOptions) {
    guard let pin = try? space.pin(at: Self.address, options) else { return }
    try! space.store(Self.foreign, at: Self.address)
    check(pin.load(as: UInt64.self) == Self.foreign, "a pinned page was left behind by its program")
    pin.release()
  }

  /// Forks the space. One thread of a program at a time may do so, or use frames again.
  func fork() -> AddressSpace {
    let child = try! space.fork()
    others.spaces.append(child)
    return child
  }

  /// Drains the queue, and lets another space use the frames that are free now.
  func useFramesAgain() {
    memory.flushDeferredFrees()
    useFreeFrames()
  }

  /// Lets another space use frames that are free.
  ///
  /// - Parameter isCopy: whether it stores bytes, which no order goes with, in place of a word.
  func useFreeFrames(byCopying isCopy: Bool = false) {
    let other = AddressSpace(memory, engine: space.engine)
    others.spaces.append(other)
    try! other.map(at: Self.address, pages: 1, protection: .readWrite)
    if isCopy {
      let bytes = (0..<8).map { UInt8(truncatingIfNeeded: Self.foreign >> UInt64(8 * $0)) }
      try! other.store(bytes, at: Self.address)
    } else {
      try! other.store(Self.foreign, at: Self.address)
    }
    check(try! other.load(at: Self.address, as: UInt64.self) == Self.foreign, "a store landed in another space")
  }

  /// Takes the frames that are free, so that the next one that is freed is the next one that is used.
  func takeAllFrames() -> [PFN] {
    var taken: [PFN] = []
    while let pfn = try? memory.allocateFrame(.mayReclaim) { taken.append(pfn) }
    return taken
  }

  /// Loads twice what no other thread changes any more: a store that comes late would land in between.
  static func settledValue(_ space: AddressSpace, at address: VirtualAddress = address) -> UInt64 {
    let first = try! space.load(at: address, as: UInt64.self)
    let second = try! space.load(at: address, as: UInt64.self)
    check(first == second, "a store landed late")
    return first
  }

  /// Checks that everything that was taken is back.
  func end() {
    space.exit()
    for other in others.spaces { other.exit() }
    memory.flushDeferredFrees()
    // Each space lives on, with the highest node of its table.
    let left = memory.census()
    let spaces = 1 + others.spaces.count
    check(
      left == Census(framesInUse: 0, tableNodes: spaces, mapcounts: 0, pins: 0, references: 0), "something leaked")
    check(memory.freePages == freeAtStart, "frames leaked")
    withExtendedLifetime(self) {}
  }
}
