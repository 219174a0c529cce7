/// How a program's thread pins a page, where it pins by the fast path.
enum PinWay: Sendable {
  /// A page that was never pinned. In the slot engine the first pin of a page marks the entry.
  case first
  /// A page that was pinned before.
  case again
  /// A range of one page, which is a list in a slot.
  case range
}

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
  let way: PinWay
  private let others = Others()
  private let freeAtStart: Int

  /// Spaces that outlive the threads. The end of a space drains queues, which other programs are about.
  private final class Others: @unchecked Sendable {
    var spaces: [AddressSpace] = []
  }

  /// - Parameters:
  ///   - way: how threads pin.
  ///   - pages: how many pages the space maps; the first is touched.
  ///   - swapPages: how many pages fit in the swap file.
  ///   - isMovable: whether its frame is one that a long-term pin moves the page out of.
  init(
    engine: PinEngine, _ way: PinWay = .first, pages: Int = 1, swapPages: Int = 0, isMovable: Bool = false
  ) {
    self.way = way
    // The allocator's shards meet if there are fewer frames than these.
    memory = try! PhysicalMemory(
      ramPages: isMovable ? 512 : 256, movablePages: isMovable ? 256 : 0, spanPages: 2048,
      swapFile: swapPages > 0 ? .temporary(pages: swapPages) : .none)
    freeAtStart = memory.freePages
    space = AddressSpace(memory, engine: engine)
    try! space.map(at: Self.address, pages: pages, protection: .readWrite)
    try! space.store(Self.content, at: Self.address)
    if way == .again { try! space.pin(at: Self.address, [.write, fastOnly]).release() }
  }

  /// What a pin takes that is resident. The engine `locked` has no fast path: each of its pins goes the slow way.
  var fastOnly: PinOptions { space.engine == .locked ? [] : .fastOnly }

  /// Pins the page as a device would, looks at it, and releases it. It may be gone.
  func pinAndLook(
    _ options: PinOptions? = nil, at address: VirtualAddress = address, expecting content: UInt64 = content
  ) {
    space.withPin(way, at: address, options ?? fastOnly) { load, _ in
      check(load() == content, "a pinned page changed")
    }
  }

  /// Pins the page for writing, and stores as the program does. The pinned page must be the program's.
  func pinAndStore(_ options: PinOptions) { space.pinAndStore(way, at: Self.address, options) }

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
      try! other.store(Self.foreignBytes, at: Self.address)
    } else {
      try! other.store(Self.foreign, at: Self.address)
    }
    check(try! other.load(at: Self.address, as: UInt64.self) == Self.foreign, "a store landed in another space")
  }

  /// Stores to a frame that is free, and gives it back. No operation of a space goes before, with fences of its own.
  func storeToFreeFrame() {
    let pfn = try! memory.allocateFrame(.mayReclaim)
    let bytes = memory.frames.bytes(of: pfn)
    bytes.store(Self.foreign)
    check(bytes.load(as: UInt64.self) == Self.foreign, "a store landed in another space")
    memory.discardFrame(pfn)
  }

  /// Fills a frame that is free by copying, and gives it back.
  func fillFreeFrame() {
    let pfn = try! memory.allocateFrame(.mayReclaim)
    memory.frames.bytes(of: pfn).copy(Self.foreignBytes)
    memory.discardFrame(pfn)
  }

  private static var foreignBytes: [UInt8] { (0..<8).map { UInt8(truncatingIfNeeded: foreign >> UInt64(8 * $0)) } }

  /// Takes the frames that are free, so that the next one that is freed is the next one that is used.
  func takeAllFrames() -> [PFN] {
    var taken: [PFN] = []
    while let pfn = try? memory.allocateFrame(.mayReclaim) { taken.append(pfn) }
    return taken
  }

  /// Loads twice what no other thread changes any more: a store that comes late would land in between.
  static func finalValue(_ space: AddressSpace, at address: VirtualAddress = address) -> UInt64 {
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

extension AddressSpace {
  /// Pins a page, if that can be, and gives `body` what loads the page's first word by the pin, and what stores it.
  func withPin(
    _ way: PinWay, at address: VirtualAddress, _ options: PinOptions,
    _ body: (_ load: () -> UInt64, _ store: (UInt64) -> Void) -> Void
  ) {
    if way == .range {
      guard let range = try? pin(at: address, pages: 1, options) else { return }
      // With `fastOnly` a range may be empty.
      if range.count == 1 { body({ loadWord(of: range, at: 0) }, { storeWord($0, in: range, at: 0) }) }
      range.release()
    } else {
      guard let pin = try? pin(at: address, options) else { return }
      body({ pin.load() }, { pin.store($0) })
      pin.release()
    }
  }

  /// Pins a page for writing, and stores as the program does. The pinned page must be the program's.
  func pinAndStore(_ way: PinWay, at address: VirtualAddress, _ options: PinOptions) {
    withPin(way, at: address, options) { load, _ in
      try! store(Setting.foreign, at: address)
      check(load() == Setting.foreign, "a pinned page was left behind by its program")
    }
  }
}

func loadWord(of range: borrowing PinnedPages, at index: Int) -> UInt64 { range[index].load() }
func storeWord(_ value: UInt64, in range: borrowing PinnedPages, at index: Int) { range[index].store(value) }
