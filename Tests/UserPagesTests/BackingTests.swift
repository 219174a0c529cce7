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
final class Scripted: Backing {
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

  @Test func aBackingIsNotAskedForPagesBehindItsEnd() throws {
    try withMachine { memory, space in
      let asked = Locked<[Int]>([])
      let backing = Scripted { page, _ in
        asked.withLock { $0.append(page) }
        return .frameNumber(memory.zeroPage, writable: false)
      }
      try space.map(at: 0x10000, pages: 32, protection: .read, backing: .mixed(backing), offset: 1)
      for page in [0, 14, 15, 31] { _ = try? space.load(at: 0x10000 + page * Page.size, as: UInt8.self) }
      #expect(throws: PageError.busError) { try space.load(at: 0x10000 + 15 * Page.size, as: UInt8.self) }
      #expect(asked.withLock { $0 } == [1, 15])
    }
  }

  /// A backing with an array of pages, which is asked before stores. A page behind its end would be a trap.
  private final class Checked: Backing {
    let pageCount = 1
    let writesBack = true
    private let stores = Locked([0])

    func prepareStore(page: Int) -> StoreAnswer {
      stores.withLock { $0[page] += 1 }
      return .allow
    }

    func willStore(page: Int) -> StoreAnswer { prepareStore(page: page) }
    func fault(page: Int, write: Bool) -> FaultAnswer { .busError }
  }

  @Test func aBackingIsNotAskedForStoresBehindItsEnd() throws {
    try withMachine { memory, space in
      let backing = Checked()
      try space.map(at: 0x10000, pages: 2, protection: .readWrite, sharing: .shared, backing: .file(backing))
      #expect(throws: PageError.busError) { try space.store(UInt8(1), at: 0x11000) }
    }
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
      #expect(device.ring.deviceBytes(ofPage: 0).copy(count: 100) == Array(record[100...]))
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
      memory.onBackingDiagnostic { _ in }
      let cases: [(@Sendable () -> FaultAnswer, PageError)] = [
        ({ .busError }, .busError), ({ .outOfMemory }, .outOfMemory),
        ({ .frameNumber(hole, writable: true) }, .busError), ({ .frameNumber(PFN(0), writable: true) }, .busError),
      ]
      for (answer, error) in cases {
        try space.map(
          at: 0x10000, pages: 16, protection: .readWrite, sharing: .shared,
          backing: .mixed(Scripted { _, _ in answer() }))
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
      // No descriptor, a pfn mapping, anonymous memory.
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
      for space in spaces {
        try space.map(
          at: 0x1_0000_0000, pages: pages, protection: .read, backing: .mixed(image), hugePages: false)
      }
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
