import TestSupport
import Testing

@testable import UserPages

/// Shared mappings by number (`VM_PFNMAP`): a fault may have to notice their stores. Files that one maps.
@Suite struct PFNMappingTests {
  private let start: VirtualAddress = 0x4000_0000

  private func withMachine(frames: Int = 64, _ body: (Machine) throws -> Void) throws {
    let machine = try Machine(frames: frames)
    try body(machine)
    #expect(machine.leaks() == [])
  }

  // MARK: Stores

  /// What changes attributes of a mapping, and puts its entries under them.
  enum Change: CaseIterable {
    case protect, dontFork, seal

    func run(_ space: AddressSpace, at address: VirtualAddress, pages: Int) throws(PageError) {
      switch self {
      case .protect:
        try space.protect(at: address, pages: pages, .read)
        try space.protect(at: address, pages: pages, .readWrite)
      case .dontFork: try space.advise(at: address, pages: pages, .dontFork)
      case .seal: try space.seal(at: address, pages: pages)
      }
    }
  }

  /// The change leaves a clean entry read-only. The next store asks the device again (`wp_pfn_shared`).
  @Test(arguments: Engines.all, Change.allCases)
  func aStoreAfterAChange(engine: PinEngine, change: Change) throws {
    try withMachine { machine in
      let space = AddressSpace(machine.memory, engine: engine)
      let device = try DeviceRange(machine.memory, pages: 4)
      try space.map(at: start, pages: 4, protection: .readWrite, sharing: .shared, backing: .pfn(device))
      _ = try space.load(at: start, as: UInt64.self)
      try change.run(space, at: start, pages: 4)
      try space.store(UInt64(7), at: start)
      #expect(device.deviceBytes(ofPage: 0).load(as: UInt64.self) == 7)
      #expect(space.entry(at: start).description == "special rw dirty")
      space.exit()
    }
  }

  /// The same in 2 MiB: the page becomes one by itself.
  @Test(arguments: Engines.all, Change.allCases)
  func aStoreTo2MiBAfterAChange(engine: PinEngine, change: Change) throws {
    try withHugePages(engine: engine) { machine, space in
      let device = try DeviceRange(machine.memory, pages: 512)
      try space.map(
        at: hugeBase, pages: 512, protection: .readWrite, sharing: .shared, backing: .pfn(device), hugePages: true)
      _ = try space.load(at: hugeBase, as: UInt64.self)
      try change.run(space, at: hugeBase, pages: 512)
      try space.store(UInt64(7), at: hugeBase.page(5))
      #expect(device.deviceBytes(ofPage: 5).load(as: UInt64.self) == 7)
      #expect(space.says(hugeBase.page(5)) == "special rw dirty" && space.says(hugeBase.page(6)) == "special r")
    }
  }

  /// A backing that takes no stores refuses them after a change as it did before.
  ///
  /// An image's memory takes no stores. One to it would end the process.
  @Test(arguments: Engines.all, [false, true])
  func aStoreThatTheBackingRefuses(engine: PinEngine, isIO: Bool) throws {
    for change in Change.allCases {
      try withMachine { machine in
        let space = AddressSpace(machine.memory, engine: engine)
        let image = try Image(machine.memory, pages: 4) { _ in 5 }
        try space.map(
          at: start, pages: 4, protection: .readWrite, sharing: .shared, backing: .pfn(image, isIO: isIO))
        _ = try space.load(at: start, as: UInt64.self)
        for _ in 0..<2 {
          #expect(throws: PageError.busError) { try space.store(UInt64(7), at: start) }
          #expect(try space.load(at: start, as: UInt8.self) == 5)
          try change.run(space, at: start, pages: 4)
        }
        space.exit()
      }
    }
  }

  /// A backing may say what it likes of an image's memory, or a caller of `insertPFN`.
  @Test(arguments: Engines.all)
  func memoryThatTakesNoStores(engine: PinEngine) throws {
    try withMachine { machine in
      let space = AddressSpace(machine.memory, engine: engine)
      let image = try Image(machine.memory, pages: 4) { _ in 5 }
      let liar = Scripted { page, _ in .frameNumber(image.firstPFN + page % 4, writable: true) }
      try space.map(at: start, pages: 4, protection: .readWrite, sharing: .shared, backing: .mixed(liar))
      #expect(throws: PageError.busError) { try space.store(UInt64(7), at: start) }
      #expect(try space.load(at: start, as: UInt8.self) == 5)
      #expect(throws: PageError.busError) { try space.store(UInt64(7), at: start) }
      let mirror = try space.mirror(at: start, pages: 4, for: .write)
      #expect(throws: PageError.badAddress) { try mirror.store(UInt64(7), at: start) }
      let other = start + 8 * Page.size
      let silent = Scripted { _, _ in .busError }
      try space.map(at: other, pages: 4, protection: .readWrite, sharing: .shared, backing: .mixed(silent))
      for pfn in [image.firstPFN, machine.memory.zeroPage] {
        #expect(throws: PageError.invalidArgument) { try space.insertMixed(pfn, at: other, writable: true) }
      }
      #expect(throws: PageError.invalidArgument) { try space.insertPFN(image.firstPFN, at: other, writable: true) }
      try space.insertPFN(image.firstPFN, at: other)
      #expect(throws: PageError.busError) { try space.store(UInt64(7), at: other) }
      space.exit()
    }
  }

  // MARK: Files that lose pages

  /// Where a mapping by number is, beside the one that shows the file's pages.
  enum Place: CaseIterable { case sameSpace, anotherSpace }

  /// Maps the backing by number. The mapping shows no page: a fault there would be refused a frame.
  private func mapByNumber(_ backing: any Backing, besides space: AddressSpace, _ place: Place) throws -> AddressSpace {
    let mapper = place == .sameSpace ? space : AddressSpace(space.memory)
    try mapper.map(at: 0x9000_0000, pages: 1, protection: .read, sharing: .shared, backing: .pfn(backing))
    return mapper
  }

  @Test(arguments: Place.allCases)
  func aHoleOfAMemoryFile(place: Place) throws {
    try withMachine { machine in
      let file = try PageCacheFile(machine.memory, pages: 1)
      // Several, because the list of a file's spaces has no order.
      let spaces = (0..<4).map { _ in AddressSpace(machine.memory) }
      for space in spaces {
        try space.map(at: start, pages: 1, protection: .readWrite, sharing: .shared, backing: .file(file))
        try space.store(UInt64(1), at: start)
      }
      let mapper = try mapByNumber(file, besides: spaces[0], place)
      try file.punchHole(0..<1)
      for space in spaces { #expect(try space.load(at: start, as: UInt64.self) == 0) }
      try spaces[0].store(UInt64(2), at: start)
      #expect(try file.read(at: 0, count: 1) == [2])
      for space in spaces + [mapper] { space.exit() }
    }
  }

  @Test(arguments: Place.allCases, [false, true])
  func aHoleOrAnInvalidationOfACachedFile(place: Place, invalidates: Bool) throws {
    try CacheStage.run { stage in
      let other = AddressSpace(stage.memory)
      try other.map(at: stage.start, pages: 1, protection: .readWrite, sharing: .shared, backing: .file(stage.cache))
      let mapper = try mapByNumber(stage.cache, besides: stage.space, place)
      try stage.space.store(UInt64(9), at: stage.address(0))
      #expect(try other.load(at: stage.start, as: UInt64.self) == 9)
      if invalidates { try stage.cache.invalidate() } else { try stage.cache.punchHole(0..<1) }
      let expected = invalidates ? originalWord(0) : 0
      #expect(try stage.word(0) == expected)
      #expect(try other.load(at: stage.start, as: UInt64.self) == expected)
      for space in [other, mapper] { space.exit() }
    }
  }
}
