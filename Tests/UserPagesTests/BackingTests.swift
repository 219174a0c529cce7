import TestSupport
import Testing

@testable import UserPages

/// The device of the documentation: a control page, and a ring that is seen twice in a row.
private final class RingDevice: Backing {
  let registers: DeviceRange
  let ring: DeviceRange

  init(_ memory: PhysicalMemory, ringPages: Int) throws(PageError) {
    registers = try DeviceRange(memory, pages: 1)
    ring = try DeviceRange(memory, pages: ringPages)
  }

  var pageCount: Int { 1 + 2 * ring.pageCount }

  func fault(page: Int, write: Bool) -> FaultAnswer {
    guard page >= 0, page < pageCount else { return .busError }
    if page == 0 { return .frameNumber(registers.firstPFN, writable: true) }
    return .frameNumber(ring.firstPFN + (page - 1) % ring.pageCount, writable: true)
  }
}

/// A backing that answers as it is told.
private final class Scripted: Backing {
  let pageCount = 16
  let answer: @Sendable (Int, Bool) -> FaultAnswer
  init(_ answer: @escaping @Sendable (Int, Bool) -> FaultAnswer) { self.answer = answer }
  func fault(page: Int, write: Bool) -> FaultAnswer { answer(page, write) }
}

struct BackingTests {
  private func withMachine(_ body: (PhysicalMemory, AddressSpace) throws -> Void) throws {
    let memory = try PhysicalMemory(ramPages: 128)
    do {
      let space = AddressSpace(memory)
      try body(memory, space)
      space.exit()
    }
    memory.flushDeferredFrees()
    #expect(memory.census().isClean)
  }

  @Test func aRingIsSeenTwice() throws {
    try withMachine { memory, space in
      let device = try RingDevice(memory, ringPages: 4)
      try space.map(
        at: 0x4000_0000, pages: device.pageCount, protection: .readWrite, sharing: .shared,
        backing: .pfn(device, isIO: true))
      // A record that wraps around is in one piece at the end of the first view.
      let record = [UInt8](1...200)
      try space.store(record, at: VirtualAddress(0x4000_0000) + (5 * Page.size - 100))
      #expect(try space.load(at: VirtualAddress(0x4000_1000), count: 100) == Array(record[100...]))
      #expect(device.ring.bytes(ofPage: 0).copy(count: 100) == Array(record[100...]))
      #expect(space.entry(at: 0x4000_1000).description == "special rw")
      #expect(memory.frameInformation(of: device.ring.firstPFN)?.mapCount == 0)
      #expect(throws: PageError.badAddress) { try space.pin(at: 0x4000_1000).release() }
      #expect(throws: PageError.badAddress) { try space.pin(at: 0x4000_1000, .write).release() }
    }
  }

  @Test func aMixedMappingCountsWhatHasADescriptor() throws {
    try withMachine { memory, space in
      let device = try RingDevice(memory, ringPages: 4)
      try space.map(at: 0x10000, pages: device.pageCount, protection: .read, sharing: .shared, backing: .mixed(device))
      _ = try space.load(at: 0x11000, count: 1)
      #expect(space.entry(at: 0x11000).description == "normal r")
      #expect(memory.frameInformation(of: device.ring.firstPFN)?.mapCount == 1)
      try space.pin(at: 0x11000).release()
    }
  }

  @Test func answersThatAreErrors() throws {
    try withMachine { memory, space in
      let hole = PFN(UInt64(memory.frames.span) + 5)
      let cases: [(FaultAnswer, PageError)] = [
        (.busError, .busError), (.outOfMemory, .outOfMemory), (.frameNumber(hole, writable: true), .busError),
        (.frameNumber(PFN(0), writable: true), .busError), (.frame(hole), .busError),
      ]
      for (answer, error) in cases {
        try space.map(
          at: 0x10000, pages: 16, protection: .readWrite, sharing: .shared, backing: .mixed(Scripted { _, _ in answer })
        )
        #expect(throws: error) { try space.load(at: 0x10000, count: 1) }
        #expect(throws: error) { try space.store([1], at: 0x10000) }
        #expect(throws: error == .outOfMemory ? PageError.outOfMemory : .badAddress) {
          try space.pin(at: 0x10000).release()
        }
      }
    }
  }

  @Test func insertionsAreChecked() throws {
    try withMachine { memory, space in
      let image = try Image(memory, pages: 4) { UInt8($0 + 1) }
      let device = try DeviceRange(memory, pages: 4)
      let none = Scripted { _, _ in .busError }
      try space.map(at: 0x10000, pages: 4, protection: .read, sharing: .shared, backing: .mixed(none))
      try space.map(at: 0x20000, pages: 4, protection: .read, sharing: .shared, backing: .pfn(none, isIO: false))
      try space.map(at: 0x30000, pages: 4, protection: .read)
      try space.map(at: 0x40000, pages: 4, protection: .readWrite, backing: .pfn(image, isIO: false))

      #expect(throws: PageError.badAddress) { try space.insertPage(device.firstPFN, at: 0x90000) }
      #expect(throws: PageError.invalidArgument) { try space.insertPage(device.firstPFN, at: 0x10001) }
      // No descriptor; a pfn mapping; anonymous memory.
      #expect(throws: PageError.invalidArgument) { try space.insertPage(image.firstPFN, at: 0x10000) }
      #expect(throws: PageError.invalidArgument) { try space.insertPage(device.firstPFN, at: 0x20000) }
      #expect(throws: PageError.invalidArgument) { try space.insertPage(device.firstPFN, at: 0x30000) }
      // A mixed mapping counts what can be counted.
      #expect(throws: PageError.invalidArgument) { try space.insertPFN(device.firstPFN, at: 0x10000) }
      #expect(throws: PageError.invalidArgument) { try space.insertPFN(PFN(0), at: 0x10000) }
      #expect(throws: PageError.invalidArgument) { try space.insertPFN(PFN(.max), at: 0x20000) }
      #expect(throws: PageError.invalidArgument) { try space.insertMixed(device.firstPFN, at: 0x20000) }
      // A private pfn mapping is linear.
      #expect(throws: PageError.invalidArgument) { try space.insertPFN(image.firstPFN + 1, at: 0x40000) }

      try space.insertPage(device.firstPFN, at: 0x10000)
      try space.insertMixed(image.firstPFN, at: 0x11000)
      try space.insertMixed(device.firstPFN + 1, at: 0x12000)
      try space.insertPFN(device.firstPFN, at: 0x20000)
      try space.insertPFN(image.firstPFN, at: 0x40000)
      #expect(space.entry(at: 0x10000).description == "normal r")
      #expect(space.entry(at: 0x11000).description == "special r")
      #expect(space.entry(at: 0x12000).description == "normal r")
      #expect(space.entry(at: 0x20000).description == "special r")
      #expect(throws: PageError.busy) { try space.insertMixed(image.firstPFN + 1, at: 0x11000) }
      #expect(memory.frameInformation(of: device.firstPFN)?.mapCount == 1)
      try space.store([9], at: 0x40000)
      #expect(try space.load(at: 0x40000, count: 2) == [9, 1])
    }
  }

  @Test func aSparseImageInManySpacesCostsTableNodesOnly() throws {
    try withMachine { memory, _ in
      let pages = 1 << 20  // 4 GiB
      let image = try Image(memory, pages: pages) { _ in 0 }
      var spaces = (0..<64).map { _ in AddressSpace(memory) }
      let before = memory.census()
      for space in spaces { try space.map(at: 0x1_0000_0000, pages: pages, protection: .read, backing: .mixed(image)) }
      let mapped = memory.census()
      #expect(mapped == before)
      // A touch in each 2 MiB of the first 256 MiB: one node of the lowest level each, and two above.
      for space in spaces {
        for chunk in 0..<128 { _ = try space.load(at: VirtualAddress(0x1_0000_0000) + chunk * Page.hugeSize, count: 1) }
      }
      let touched = memory.census()
      #expect(touched.framesInUse == before.framesInUse)
      #expect(touched.tableNodes - before.tableNodes == 64 * (128 + 2))
      spaces = []
    }
  }
}

/// An image that says where the library calls it from.
private final class WatchedImage: Backing {
  let image: Image
  let moves = InvalidationSequence()
  let didCopy: @Sendable (FrameBytes) -> Void
  let findings = Locked<[String]>([])

  init(_ image: Image, didCopy: @escaping @Sendable (FrameBytes) -> Void = { _ in }) {
    self.image = image
    self.didCopy = didCopy
  }

  private func check(_ name: String) {
    if RCU.isReading { findings.withLock { $0.append("\(name) inside a read-side section") } }
  }

  var pageCount: Int { image.pageCount }

  var sequence: InvalidationSequence? {
    check("sequence")
    return moves
  }

  func fault(page: Int, write: Bool) -> FaultAnswer {
    check("fault")
    return .frameNumber(image.firstPFN + page, writable: false)
  }

  func didCopy(page: Int, to copy: FrameBytes) {
    check("didCopy")
    // Inside a section it would wait for itself.
    if !RCU.isReading { didCopy(copy) }
  }
}

/// What a backing may do when it is called, and what it may name.
struct BackingRuleTests {
  private func withMachine(frames: Int, _ body: (Machine) throws -> Void) throws {
    let machine = try Machine(frames: frames)
    try body(machine)
    #expect(machine.leaks() == [])
  }

  @Test(arguments: Engines.all, [false, true])
  func aBackingIsCalledOutsideOfSections(engine: PinEngine, isMappedFirst: Bool) throws {
    try withMachine(frames: 8) { machine in
      let space = AddressSpace(machine.memory, engine: engine)
      let other = AddressSpace(machine.memory, engine: engine)
      try other.map(at: 0x5000, pages: 8, protection: .readWrite)
      let copies = Locked<[[UInt8]]>([])
      let watched = WatchedImage(try Image(machine.memory, pages: 1) { _ in 5 }) { copy in
        // The page goes away, and all memory becomes another program's: the copy stays what it was.
        guard (try? space.unmap(at: 0x9000, pages: 1)) != nil else { return }
        machine.memory.flushDeferredFrees()
        for page in 0..<8 { try? other.store(UInt8(9), at: VirtualAddress(0x5000) + page * Page.size) }
        copies.withLock { $0.append(copy.copy(count: 2)) }
      }
      try space.map(at: 0x9000, pages: 1, protection: .readWrite, backing: .mixed(watched))
      if isMappedFirst { _ = try space.load(at: 0x9000, as: UInt8.self) }
      #expect(throws: PageError.segmentationViolation) { try space.store(UInt8(6), at: 0x9000) }
      #expect(copies.withLock { $0 } == [[5, 5]])
      #expect(watched.findings.withLock { $0 } == [])
      space.exit()
      other.exit()
    }
  }

  @Test(arguments: Engines.all)
  func aBackingNamesNoProgramsMemory(engine: PinEngine) throws {
    try withMachine(frames: 16) { machine in
      let victim = AddressSpace(machine.memory, engine: engine)
      try victim.map(at: 0x5000, pages: 1, protection: .readWrite)
      try victim.store(UInt8(7), at: 0x5000)
      let pin = try victim.pin(at: 0x5000)
      let pfn = pin.pfn
      let space = AddressSpace(machine.memory, engine: engine)
      for kind in [MappingKind.mixed, MappingKind.file] {
        for sharing in [Sharing.shared, .private] {
          let backing = Scripted { _, _ in .frameNumber(pfn, writable: true) }
          try space.map(at: 0x9000, pages: 16, protection: .readWrite, sharing: sharing, backing: kind(backing))
          #expect(throws: PageError.busError) { try space.load(at: 0x9000, as: UInt8.self) }
          #expect(throws: PageError.busError) { try space.store(UInt8(1), at: 0x9000) }
          #expect(throws: PageError.badAddress) { try space.pin(at: 0x9000).release() }
          #expect(throws: PageError.badAddress) { try space.pin(at: 0x9000, [.write, .longTerm]).release() }
        }
      }
      #expect(try victim.load(at: 0x5000, as: UInt8.self) == 7)
      #expect(machine.memory.frameInformation(of: pfn)?.mapCount == 1)
      pin.release()
      space.exit()
      victim.exit()
    }
  }
}
