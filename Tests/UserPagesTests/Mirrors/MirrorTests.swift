import TestSupport
import Testing

@testable import UserPages

/// A machine, a space and a mirror of eight pages, which are not mapped yet. Afterwards everything must be as it was.
func withMirror(
  frames: Int = 128, movable: Int = 0, swapPages: Int = 0, pages: Int = 8, engine: PinEngine = .reference,
  for access: PageAccess = .write,
  sourceLocation: SourceLocation = #_sourceLocation, _ body: (Machine, AddressSpace, Mirror) throws -> Void
) throws {
  let machine = try Machine(frames: frames, movable: movable, swapPages: swapPages)
  do {
    let space = AddressSpace(machine.memory, engine: engine)
    try body(machine, space, try space.mirror(at: mirrorBase, pages: pages, for: access))
    space.exit()
  }
  #expect(machine.leaks() == [], sourceLocation: sourceLocation)
}

/// Where tests of mirrors map: aligned to 2 MiB.
let mirrorBase: VirtualAddress = 0x4000_0000

extension Mirror {
  func word(_ page: Int) throws(PageError) -> UInt64 { try load(at: mirrorBase.page(page), as: UInt64.self) }
  func holds(_ page: Int) -> Bool { holdsTranslation(at: mirrorBase.page(page)) }
}

/// Accesses through a mirror.
@Suite struct MirrorTests {
  @Test func argumentsThatNoMirrorHas() throws {
    let memory = try PhysicalMemory(ramPages: 8)
    let space = AddressSpace(memory)
    #expect(throws: PageError.invalidArgument) { _ = try space.mirror(at: 0x1000, pages: 0) }
    #expect(throws: PageError.invalidArgument) { _ = try space.mirror(at: 0x1001, pages: 1) }
    #expect(throws: PageError.invalidArgument) { _ = try space.mirror(at: .limit, pages: 1) }
    #expect(throws: PageError.invalidArgument) { _ = try space.mirror(0x1000..<0x1001) }
    let mirror = try space.mirror(0x1000..<0x3000)
    #expect(mirror.range == 0x1000..<0x3000 && mirror.access == .read)
    #expect(throws: PageError.badAddress) { try mirror.store(UInt8(1), at: 0x1000) }
    #expect(throws: PageError.badAddress) { _ = try mirror.load(at: 0x0fff, as: UInt8.self) }
    #expect(throws: PageError.badAddress) { _ = try mirror.load(at: 0x3000, as: UInt8.self) }
    #expect(throws: PageError.badAddress) { _ = try mirror.load(at: 0x1000, as: UInt8.self) }
    #expect(throws: PageError.invalidArgument) { _ = try mirror.load(at: 0x1000, count: -1) }
    #expect(throws: PageError.badAddress) { _ = try mirror.load(at: 0x1000, count: Int.max) }
  }

  @Test(arguments: PinEngine.allCases) func faultsInAsTheProgramWould(engine: PinEngine) throws {
    try withMirror(engine: engine) { _, space, mirror in
      try space.map(at: mirrorBase, pages: 2, protection: .readWrite)
      try space.map(at: mirrorBase.page(2), pages: 1, protection: .read)
      #expect(!mirror.holds(0))
      #expect(try mirror.word(0) == 0)
      #expect(space.says(mirrorBase) == "zero r" && mirror.holds(0))
      try mirror.store(UInt64(7), at: mirrorBase + 8)
      #expect(space.says(mirrorBase) == "normal rw dirty" && mirror.holds(0))
      #expect(try space.load(at: mirrorBase + 8, as: UInt64.self) == 7)
      try space.store(UInt64(8), at: mirrorBase + 16)
      #expect(try mirror.load(at: mirrorBase + 16, as: UInt64.self) == 8)
      // A store to a page that was translated for a load alone.
      #expect(try mirror.word(1) == 0)
      try mirror.store(UInt8(9), at: mirrorBase.page(1))
      #expect(try mirror.load(at: mirrorBase.page(1), as: UInt8.self) == 9)
      #expect(try mirror.word(2) == 0)
      #expect(throws: PageError.badAddress) { try mirror.store(UInt8(1), at: mirrorBase.page(2)) }
      #expect(throws: PageError.badAddress) { _ = try mirror.word(3) }
      #expect(
        space.frameInformation(at: mirrorBase)?.referenceCount == 1
          && space.frameInformation(at: mirrorBase)?.pinCount == 0)
    }
  }

  @Test func anyWidthAndAnyPlace() throws {
    try withMirror { _, space, mirror in
      try space.map(at: mirrorBase, pages: 3, protection: .readWrite)
      try mirror.store(UInt16(0x0201), at: mirrorBase + 2)
      try mirror.store(UInt32(0x0605_0403), at: mirrorBase + 4)
      try mirror.store(UInt32(0x0a09_0807), at: mirrorBase + 4094)
      #expect(try mirror.load(at: mirrorBase + 2, count: 6) == [1, 2, 3, 4, 5, 6])
      #expect(try mirror.load(at: mirrorBase + 4094, as: UInt32.self) == 0x0a09_0807)
      #expect(try mirror.load(at: mirrorBase + 4094, count: 4) == [7, 8, 9, 10])
      let bytes = (0..<9000).map { UInt8(truncatingIfNeeded: $0) }
      try mirror.store(bytes, at: mirrorBase + 100)
      #expect(try space.load(at: mirrorBase + 100, count: 9000) == bytes)
      var copy = [UInt8](repeating: 0, count: 9000)
      do {
        var words = copy.mutableSpan
        var span = words.mutableBytes
        try mirror.load(at: mirrorBase + 100, into: &span)
      }
      #expect(copy == bytes)
      // Past the end of the mapping, and of the mirror.
      #expect(throws: PageError.badAddress) { _ = try mirror.load(at: mirrorBase.page(2), count: 4097) }
      #expect(throws: PageError.badAddress) { try mirror.store(bytes, at: mirrorBase.page(6)) }
    }
  }

  /// A page that changes while it is read: what was read does not count, and is read again.
  @Test(.disabled(if: Sanitizer.isThread, "there the load is in a section, which the reuse waits for"))
  func aReadIsRepeated() throws {
    try withMirror { _, space, mirror in
      try space.map(at: mirrorBase, pages: 1, protection: .readWrite)
      try mirror.store(UInt64(5), at: mirrorBase)
      var turns = 0
      let seen: UInt64 = try mirror.read(at: mirrorBase) { bytes in
        turns += 1
        if turns == 1 {
          try? space.unmap(at: mirrorBase, pages: 1)
          try? space.map(at: mirrorBase, pages: 1, protection: .readWrite)
          try? space.store(UInt64(6), at: mirrorBase)
        }
        return bytes.load(as: UInt64.self)
      }
      #expect(seen == 6 && turns == 2)
    }
  }

  @Test func numbersOfADeviceAndAnImage() throws {
    try withMirror { machine, space, mirror in
      do {
        let device = try DeviceRange(machine.memory, pages: 2)
        try space.map(
          at: mirrorBase, pages: 2, protection: .readWrite, sharing: .shared, backing: .pfn(device, isIO: true))
        try mirror.store(UInt64(5), at: mirrorBase + 8)
        #expect(device.bytes(ofPage: 0).load(fromByteOffset: 8, as: UInt64.self) == 5)
        device.bytes(ofPage: 0).store(UInt64(6), toByteOffset: 8)
        #expect(try mirror.load(at: mirrorBase + 8, as: UInt64.self) == 6 && mirror.holds(0))
        // Bytes that may be unmapped are lent inside a section alone.
        #expect(try mirror.withPageOptimistically(at: mirrorBase) { _ in RCU.isReading } == true)
        let image = try Image(machine.memory, pages: 2) { UInt8($0 + 1) }
        try space.map(at: mirrorBase.page(2), pages: 2, protection: .readWrite, backing: .mixed(image))
        #expect(try mirror.load(at: mirrorBase.page(3), count: 2) == [2, 2])
        try mirror.store(UInt8(9), at: mirrorBase.page(3))
        #expect(try mirror.load(at: mirrorBase.page(3), count: 2) == [9, 2])
        #expect(try image.read(at: Page.size, count: 1) == [2])
      }
      // Device and image end. Nothing is remembered of them.
      try space.unmap(at: mirrorBase, pages: 4)
      machine.memory.flushDeferredFrees()
      #expect(throws: PageError.badAddress) { _ = try mirror.word(0) }
    }
  }

  @Test func twoMiB() throws {
    try withMirror(frames: 2048, pages: 512) { _, space, mirror in
      try space.mapHuge(mirrorBase, pages: 512)
      try mirror.store(UInt64(3), at: mirrorBase.page(3))
      #expect(space.says(mirrorBase) == "huge rw dirty")
      for page in 0..<512 { #expect(try mirror.word(page) == (page == 3 ? 3 : 0)) }
      // A split shows the same bytes. Only the pages that go are revoked.
      try space.unmap(at: mirrorBase.page(4), pages: 1)
      #expect(mirror.holds(3) && !mirror.holds(4) && mirror.holds(5))
      #expect(try mirror.word(3) == 3)
      try mirror.store(UInt64(4), at: mirrorBase.page(3))
      #expect(try space.load(at: mirrorBase.page(3), as: UInt64.self) == 4)
    }
  }

  /// Not what the space maps: `exit` takes that away.
  @Test(arguments: [false, true]) func aMirrorKeepsItsSpace(exits: Bool) throws {
    let machine = try Machine(frames: 16)
    do {
      let mirror: Mirror
      do {
        let space = AddressSpace(machine.memory)
        try space.map(at: mirrorBase, pages: 2, protection: .readWrite)
        mirror = try space.mirror(at: mirrorBase, pages: 2, for: .write)
        try mirror.store(UInt64(1), at: mirrorBase)
        #expect(mirror.holds(0))
        if exits { space.exit() }
      }
      if exits {
        #expect(!mirror.holds(0))
        #expect(throws: PageError.badAddress) { _ = try mirror.word(0) }
        #expect(throws: PageError.badAddress) { try mirror.store(UInt64(1), at: mirrorBase) }
        #expect(machine.memory.census().framesInUse == 0)
      } else {
        #expect(try mirror.holds(0) && mirror.word(0) == 1)
        // This page is faulted in, which the space does.
        try mirror.store(UInt64(2), at: mirrorBase.page(1))
        #expect(try mirror.word(1) == 2)
      }
    }
    #expect(machine.leaks() == [])
  }

  /// The mirror keeps the space and the machine. One that ends inside a section ends them outside.
  @Test func aMirrorIsTheLastOfItsMachine() throws {
    var mirror: Mirror? = try {
      let memory = try PhysicalMemory(ramPages: 16)
      let space = AddressSpace(memory)
      try space.map(at: mirrorBase, pages: 1, protection: .readWrite)
      let mirror = try space.mirror(at: mirrorBase, pages: 1, for: .write)
      try mirror.store(UInt64(1), at: mirrorBase)
      return mirror
    }()
    #expect(try mirror?.word(0) == 1)
    RCU.read { mirror = nil }
    RCU.barrier()
  }

  @Test func aSpaceForgetsAMirrorThatEnded() throws {
    try withMirror { _, space, mirror in
      try space.map(at: mirrorBase, pages: 1, protection: .readWrite)
      do {
        let second = try space.mirror(at: mirrorBase, pages: 1)
        #expect(try second.word(0) == 0 && second.holds(0))
        #expect(try mirror.word(0) == 0)
        try space.unmap(at: mirrorBase, pages: 1)
        #expect(!second.holds(0) && !mirror.holds(0))
      }
      let before = mirror.sequence
      try space.map(at: mirrorBase, pages: 1, protection: .readWrite)
      try mirror.store(UInt64(1), at: mirrorBase)
      #expect(mirror.sequence == before, "a first touch revokes nothing")
      try space.unmap(at: mirrorBase, pages: 1)
      #expect(mirror.sequence != before)
    }
  }

  @Test func aChildHasNoMirrors() throws {
    try withMirror { _, space, mirror in
      try space.map(at: mirrorBase, pages: 1, protection: .readWrite)
      try mirror.store(UInt64(1), at: mirrorBase)
      let child = try space.fork()
      #expect(!mirror.holds(0), "the page was write-protected")
      #expect(try mirror.word(0) == 1)
      try child.store(UInt64(2), at: mirrorBase)
      #expect(mirror.holds(0), "a child's store is of no concern to the parent")
      #expect(try mirror.word(0) == 1)
      try mirror.store(UInt64(3), at: mirrorBase)
      #expect(try child.load(at: mirrorBase, as: UInt64.self) == 2)
      #expect(try mirror.word(0) == 3)
      child.exit()
    }
  }

  /// The mirror is larger than any memory.
  @Test func aHugeRangeCostsWhatIsUsed() throws {
    let memory = try PhysicalMemory(ramPages: 16)
    let space = AddressSpace(memory)
    let mirror = try space.mirror(at: 0, pages: 1 << 30, for: .write)
    let far: VirtualAddress = 0x300_0000_0000
    try space.map(at: far, pages: 1, protection: .readWrite)
    try mirror.store(UInt8(1), at: far)
    #expect(mirror.holdsTranslation(at: far))
    space.exit()
    #expect(!mirror.holdsTranslation(at: far))
  }
}
