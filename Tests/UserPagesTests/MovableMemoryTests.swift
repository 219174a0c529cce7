import TestSupport
import Testing

@testable import UserPages

/// Movable frames: which pages get them, and that no long-term pin keeps one.
@Suite struct MovableMemoryTests {
  private let place: VirtualAddress = 0x10_0000
  private let file: VirtualAddress = 0x80_0000

  private func with(
    frames: Int = 32, movable: Int = 16, engine: PinEngine = .reference,
    _ body: (PhysicalMemory, AddressSpace) throws -> Void
  ) throws {
    let machine = try Machine(frames: frames, movable: movable, swapPages: 64)
    do {
      let space = AddressSpace(machine.memory, engine: engine)
      try body(machine.memory, space)
      space.exit()
    }
    #expect(machine.leaks() == [])
  }

  private func isMovable(_ address: VirtualAddress, _ space: AddressSpace) throws -> Bool {
    space.memory.frames.isMovable(try frame(at: address, space))
  }

  /// Private memory and pages of caches prefer movable frames. What its owner names by number never gets one.
  @Test func whichPagesGetThem() throws {
    try with { (memory, space) throws in
      try space.map(at: place, pages: 32, protection: .readWrite)
      let cache = try PageCache(memory, MemoryStore(pages: 4), limit: 4, maximumPages: 4)
      try space.map(at: file, pages: 4, protection: .read, sharing: .shared, backing: .file(cache))
      for page in 0..<4 { _ = try space.load(at: file + page * Page.size, count: 1) }
      for page in 0..<16 { try space.store(UInt64(page), at: place + page * Page.size) }
      for page in 0..<4 { #expect(try isMovable(file + page * Page.size, space)) }
      for page in 0..<16 { #expect(try isMovable(place + page * Page.size, space) == (page < 12)) }
      let plain = try PageCacheFile(memory, pages: 1)
      try space.map(at: file + 4 * Page.size, pages: 1, protection: .read, backing: .file(plain))
      _ = try space.load(at: file + 4 * Page.size, count: 1)
      #expect(try !isMovable(file + 4 * Page.size, space))
      try space.unmap(at: place, pages: 32)
      memory.flushDeferredFrees()
      #expect(memory.freePages == 27)
      // Frames that a program owns by number.
      for _ in 0..<15 {
        let reference = try memory.allocate()
        #expect(!memory.frames.isMovable(reference.pfn))
        reference.put()
      }
    }
  }

  /// An allocation that needs an unmovable frame takes back none that is movable, and ends.
  @Test func reclaimTakesWhatIsOfUse() throws {
    try with(frames: 32, movable: 16) { (memory, space) throws in
      func fill(_ start: VirtualAddress) throws -> PageCache {
        let cache = try PageCache(memory, MemoryStore(pages: 8), limit: 8, maximumPages: 8)
        try space.map(at: start, pages: 8, protection: .read, sharing: .shared, backing: .file(cache))
        for page in 0..<8 { _ = try space.load(at: start + page * Page.size, count: 1) }
        return cache
      }
      let cache = try fill(file)
      let owned = Locked<[PFN]>([])
      while let reference = try? memory.allocate() {
        let pfn = reference.handOver()
        owned.withLock { $0.append(pfn) }
      }
      #expect(owned.withLock { $0.count } == 16)
      #expect(cache.residentPages == 8 && memory.freePages == 8, "movable frames were taken back for nothing")
      // Now the other movable ones are a program's, and a second cache is in unmovable ones.
      try space.map(at: place, pages: 8, protection: .readWrite)
      for page in 0..<8 { try space.store(UInt64(page), at: place + page * Page.size) }
      let last = owned.withLock { Array($0.suffix(8)) }
      for pfn in last { FrameReference(owning: pfn, in: memory).put() }
      owned.withLock { $0.removeLast(8) }
      let other = try fill(file + 8 * Page.size)
      for _ in 0..<4 {
        let pfn = try memory.allocate().handOver()
        #expect(!memory.frames.isMovable(pfn))
        owned.withLock { $0.append(pfn) }
      }
      #expect(cache.residentPages == 8 && other.residentPages == 4)
      #expect(try (0..<8).allSatisfy { try isMovable(place + $0 * Page.size, space) }, "a page went out for nothing")
      for pfn in owned.withLock({ $0 }) { FrameReference(owning: pfn, in: memory).put() }
    }
  }

  @Test func theUnmovableEnd() throws {
    try with(frames: 8, movable: 6) { (memory, _) throws in
      let first = try memory.allocate()
      let second = try memory.allocate()
      #expect(throws: PageError.outOfMemory) { _ = try memory.allocate() }
      #expect(memory.freePages == 6)
      first.put()
      second.put()
    }
  }

  /// The page leaves its movable frame first. Contents, and what pin and program see of each other, stay.
  @Test(arguments: Engines.all, [PinOptions.longTerm, [.longTerm, .write]])
  func privateMemory(engine: PinEngine, options: PinOptions) throws {
    try with(engine: engine) { (memory, space) throws in
      try space.map(at: place, pages: 4, protection: .readWrite)
      for page in 0..<4 { try space.store(UInt64(7 + page), at: place + page * Page.size) }
      #expect(try isMovable(place, space))
      let short = try space.pin(at: place, [.write])
      #expect(memory.frames.isMovable(short.pfn))
      short.release()
      memory.flushDeferredFrees()
      let pin = try space.pin(at: place, options)
      #expect(!memory.frames.isMovable(pin.pfn))
      #expect(pin.deviceBytes.load(as: UInt64.self) == 7)
      try space.store(UInt64(9), at: place)
      #expect(pin.deviceBytes.load(as: UInt64.self) == 9)
      pin.release()
      // Neighbours are where they were.
      #expect(try isMovable(place + Page.size, space))
      let pins = try space.pin(at: place, pages: 4, options)
      #expect(pins.count == 4)
      for page in 1..<4 {
        #expect(try !isMovable(place + page * Page.size, space))
        #expect(pins.deviceBytes(at: page).load(as: UInt64.self) == UInt64(7 + page))
      }
      pins.release()
    }
  }

  /// First touches, copies and pages from the swap file come to an unmovable frame at once, where the pin makes them.
  @Test(arguments: Engines.all)
  func whatThePinFaultsIn(engine: PinEngine) throws {
    try with(engine: engine) { (memory, space) throws in
      try space.map(at: place, pages: 3, protection: .readWrite)
      try space.store(UInt64(5), at: place + Page.size)
      try space.store(UInt64(6), at: place + 2 * Page.size)
      #expect(memory.reclaim(pages: 1) == 1)
      let child = try space.fork()
      for page in 0..<3 {
        let pin = try space.pin(at: place + page * Page.size, [.longTerm, .write])
        #expect(!memory.frames.isMovable(pin.pfn))
        #expect(pin.deviceBytes.load(as: UInt64.self) == [0, 5, 6][page])
        pin.release()
      }
      child.exit()
    }
  }

  @Test(arguments: Engines.all)
  func pagesOfACache(engine: PinEngine) throws {
    try with(engine: engine) { (memory, space) throws in
      let store = MemoryStore(pages: 4) { UInt8($0 + 1) }
      let cache = try PageCache(memory, store, limit: 4, maximumPages: 4)
      try space.map(at: file, pages: 4, protection: .readWrite, sharing: .shared, backing: .file(cache))
      for page in 0..<4 { _ = try space.load(at: file + page * Page.size, count: 1) }
      try space.store(UInt64(77), at: file + 2 * Page.size)
      #expect(try isMovable(file + 2 * Page.size, space))
      memory.flushDeferredFrees()
      let reads = store.calls.count
      let pin = try space.pin(at: file + 2 * Page.size, .longTerm)
      #expect(!memory.frames.isMovable(pin.pfn))
      #expect(pin.deviceBytes.load(as: UInt64.self) == 77)
      #expect(store.calls.count == reads + 1, "a dirty page is written once, and none is read")
      try space.store(UInt64(78), at: file + 2 * Page.size)
      #expect(pin.deviceBytes.load(as: UInt64.self) == 78)
      #expect(cache.residentPages == 4)
      pin.release()
      try cache.sync()
      #expect(MemoryStore.word(store.durable, at: 2 * Page.size) == 78)
    }
  }

  /// A page that is held cannot move: ENOMEM after some tries, and nothing has changed.
  @Test(arguments: Engines.all, [false, true])
  func heldPages(engine: PinEngine, isFile: Bool) throws {
    try with(engine: engine) { (memory, space) throws in
      let cache = try PageCache(memory, MemoryStore(pages: 4), limit: 4, maximumPages: 4)
      try space.map(at: place, pages: 1, protection: .readWrite)
      try space.map(at: file, pages: 1, protection: .readWrite, sharing: .shared, backing: .file(cache))
      let address = isFile ? file : place
      try space.store(UInt64(7), at: address)
      let held = try space.pin(at: address, .get)
      #expect(throws: PageError.outOfMemory) { try space.pin(at: address, .longTerm).release() }
      #expect(throws: PageError.tryAgain) { try space.pin(at: address, [.longTerm, .fastOnly]).release() }
      try space.store(UInt64(8), at: address)
      #expect(held.deviceBytes.load(as: UInt64.self) == 8)
      #expect(memory.frames.isMovable(held.pfn))
      held.release()
      memory.flushDeferredFrees()
      let pin = try space.pin(at: address, .longTerm)
      #expect(!memory.frames.isMovable(pin.pfn) && pin.deviceBytes.load(as: UInt64.self) == 8)
      pin.release()
    }
  }

  /// No frame to move to.
  @Test(arguments: Engines.all)
  func noUnmovableFrame(engine: PinEngine) throws {
    try with(frames: 8, movable: 7, engine: engine) { (memory, space) throws in
      try space.map(at: place, pages: 1, protection: .readWrite)
      try space.store(UInt64(7), at: place)
      let only = try memory.allocate()
      #expect(throws: PageError.outOfMemory) { try space.pin(at: place, .longTerm).release() }
      #expect(try space.load(at: place, as: UInt64.self) == 7)
      only.put()
      let pin = try space.pin(at: place, .longTerm)
      #expect(pin.deviceBytes.load(as: UInt64.self) == 7)
      pin.release()
    }
  }

  /// 2 MiB are never movable, so that none has to move.
  @Test(arguments: Engines.all)
  func hugeFrames(engine: PinEngine) throws {
    try with(frames: 2048, movable: 1024, engine: engine) { (memory, space) throws in
      try space.map(at: 0x4000_0000, pages: 1024, protection: .readWrite, hugePages: true)
      try space.store(UInt64(7), at: 0x4000_0000)
      let pin = try space.pin(at: 0x4000_0000, [.longTerm, .write])
      #expect(memory.frames.frame(pin.pfn).has(Frame.hugeBit))
      #expect(!memory.frames.isMovable(pin.pfn))
      pin.release()
      try space.store(UInt64(8), at: 0x4020_0000)
      #expect(!memory.frames.isMovable(try frame(at: 0x4020_0000, space)))
    }
  }

  private func frame(at address: VirtualAddress, _ space: AddressSpace) throws -> PFN {
    let pin = try space.get(at: address)
    let pfn = pin.pfn
    pin.release()
    return pfn
  }

  /// A page without a descriptor cannot be pinned, movable frames or not.
  @Test func withoutADescriptor() throws {
    try with { (memory, space) throws in
      let image = try Image(memory, pages: 2) { UInt8($0) }
      try space.map(at: place, pages: 2, protection: .read, sharing: .shared, backing: .mixed(image))
      #expect(throws: PageError.badAddress) { try space.pin(at: place, .longTerm).release() }
    }
  }

  /// Every split of RAM: all of it can be used, and comes back.
  @Test(arguments: [
    (8, 3), (8, 8), (600, 100), (600, 88), (1024, 512), (1536, 1000), (1536, 511), (513, 513), (513, 1),
  ])
  func splits(_ split: (frames: Int, movable: Int)) throws {
    let (frames, movable) = split
    for _ in 0..<2 {
      try with(frames: frames, movable: movable) { (memory, space) throws in
        try space.map(at: 0x1000_0000, pages: frames, protection: .readWrite)
        for page in 0..<frames { try space.store(UInt64(page), at: 0x1000_0000 + page * Page.size) }
        #expect(memory.freePages == 0 && memory.census().framesInUse == frames && memory.census().references == frames)
        for page in 0..<frames {
          #expect(try space.load(at: 0x1000_0000 + page * Page.size, as: UInt64.self) == UInt64(page))
        }
      }
    }
    #expect(throws: PageError.invalidArgument) { _ = try Machine(frames: frames, movable: frames + 1) }
    #expect(throws: PageError.invalidArgument) { _ = try Machine(frames: frames, movable: -1) }
  }
}
