import TestSupport
import Testing

@testable import UserPages

/// 2 MiB that are mapped by number: devices, images, and what a backing inserts.
@Suite struct HugeNumberTests {
  private let other: VirtualAddress = 0x8000_0000

  @Test(arguments: Engines.all) func aDevice(engine: PinEngine) throws {
    try withHugePages(engine: engine) { machine, space in
      let device = try DeviceRange(machine.memory, pages: 1024)
      try space.map(
        at: hugeBase, pages: 1024, protection: .readWrite, sharing: .shared, backing: .pfn(device, isIO: true),
        hugePages: true)
      try space.store(UInt64(7), at: hugeBase.page(5))
      #expect(space.says(hugeBase) == "special rw dirty" && space.says(hugeBase.page(511)) == "special rw dirty")
      #expect(space.says(hugeBase.page(512)) == "none")
      #expect(device.deviceBytes(ofPage: 5).load(as: UInt64.self) == 7)
      #expect(space.frameInformation(at: hugeBase) == nil)
      #expect(throws: PageError.badAddress) { try space.pin(at: hugeBase.page(5)).release() }
      #expect(throws: PageError.badAddress) { try space.pin(at: hugeBase.page(5), .get).release() }
      #expect(try space.pin(at: hugeBase, pages: 512, .fastOnly).count == 0)
      let child = try space.fork()
      try child.store(UInt64(8), at: hugeBase.page(5))
      #expect(try space.load(at: hugeBase.page(5), as: UInt64.self) == 8)
      #expect(child.says(hugeBase) == "special rw dirty")
      child.exit()
      // What is left of it when a part goes is by number still.
      try space.unmap(at: hugeBase.page(10), pages: 1)
      #expect(space.says(hugeBase.page(9)) == "special rw dirty" && space.says(hugeBase.page(10)) == "none")
      try space.store(UInt64(9), at: hugeBase.page(511))
      #expect(device.deviceBytes(ofPage: 511).load(as: UInt64.self) == 9)
      #expect(throws: PageError.badAddress) { try space.pin(at: hugeBase.page(9)).release() }
      #expect(machine.memory.census().mapcounts == 0)
    }
  }

  @Test(arguments: Engines.all) func aPrivateDevice(engine: PinEngine) throws {
    try withHugePages(engine: engine) { machine, space in
      let device = try DeviceRange(machine.memory, pages: 512)
      device.bytes(ofPage: 6).store(UInt64(66))
      try space.map(
        at: hugeBase, pages: 512, protection: .readWrite, backing: .pfn(device, isIO: true), hugePages: true)
      #expect(try space.load(at: hugeBase.page(6), as: UInt64.self) == 66)
      #expect(space.says(hugeBase) == "special r")
      try space.store(UInt64(7), at: hugeBase.page(5))
      #expect(space.says(hugeBase.page(5)) == "normal rw dirty" && space.says(hugeBase.page(6)) == "special r")
      #expect(device.deviceBytes(ofPage: 5).load(as: UInt64.self) == 0)
      let child = try space.fork()
      #expect(child.says(hugeBase.page(5)) == "normal r dirty" && child.says(hugeBase.page(6)) == "special r")
      try child.store(UInt64(8), at: hugeBase.page(6))
      #expect(device.deviceBytes(ofPage: 6).load(as: UInt64.self) == 66)
      #expect(try child.load(at: hugeBase.page(5), as: UInt64.self) == 7)
      child.exit()
      machine.memory.flushDeferredFrees()
      #expect(machine.memory.census().mapcounts == 1)
    }
  }

  @Test(arguments: Engines.all) func anImage(engine: PinEngine) throws {
    try withHugePages(engine: engine) { machine, space in
      let image = try Image(machine.memory, pages: 1024) { UInt8(truncatingIfNeeded: $0) }
      for (address, kind) in [(hugeBase, MappingKind.mixed(image)), (other, .pfn(image))] {
        try space.map(at: address, pages: 1024, protection: .readWrite, backing: kind, hugePages: true)
        #expect(try space.load(at: address.page(5), as: UInt8.self) == 5)
        #expect(try space.load(at: address.page(700), as: UInt8.self) == UInt8(700 & 255))
        #expect(space.says(address.page(511)) == "special r" && space.says(address.page(512)) == "special r")
        try space.store(UInt8(99), at: address.page(5))
        #expect(space.says(address.page(5)) == "normal rw dirty" && space.says(address.page(6)) == "special r")
        #expect(space.says(address.page(512)) == "special r")
        #expect(throws: PageError.badAddress) { try space.pin(at: address.page(6)).release() }
      }
      let pin = try space.pin(at: hugeBase.page(600), .write)
      #expect(pin.deviceBytes.load(as: UInt8.self) == UInt8(600 & 255))
      pin.release()
      #expect(try image.read(at: 5 * Page.size, count: 1) == [5])
      #expect(machine.memory.census().framesInUse == 3)
    }
  }

  @Test(arguments: Engines.all) func onePageOfAnImageMoves(engine: PinEngine) throws {
    try withHugePages(engine: engine) { machine, space in
      let image = try Image(machine.memory, pages: 1024) { UInt8(truncatingIfNeeded: $0) }
      for (address, sharing) in [(hugeBase, Sharing.private), (other, .shared)] {
        try space.map(
          at: address, pages: 1024, protection: .readWrite, sharing: sharing, backing: .mixed(image), hugePages: true)
        _ = try space.load(at: address, as: UInt8.self)
        #expect(space.says(address) == "special r")
      }
      try image.migrateToCache(page: 5)
      for address in [hugeBase, other] {
        #expect(space.says(address.page(5)) == "none" && space.says(address.page(6)) == "special r")
        #expect(try space.load(at: address.page(5), as: UInt8.self) == 5)
        #expect(space.says(address.page(5)) == "normal r")
      }
      // A store through the shared mapping moves its page as well.
      try space.store(UInt8(77), at: other.page(9))
      #expect(space.says(other.page(9)) == "normal rw dirty" && space.says(hugeBase.page(9)) == "none")
      #expect(try space.load(at: hugeBase.page(9), as: UInt8.self) == 77)
      #expect(space.says(other.page(10)) == "special r")
      // A later fault gets pages where not all are in place, and 2 MiB elsewhere.
      let late = AddressSpace(machine.memory, engine: engine)
      try late.map(at: hugeBase, pages: 1024, protection: .read, backing: .mixed(image), hugePages: true)
      #expect(try late.load(at: hugeBase.page(9), as: UInt8.self) == 77)
      #expect(late.says(hugeBase.page(9)) == "normal r" && late.says(hugeBase.page(10)) == "none")
      _ = try late.load(at: hugeBase.page(512), as: UInt8.self)
      #expect(late.says(hugeBase.page(1023)) == "special r")
      late.exit()
      try image.migrateToImage(page: 5)
      try image.migrateToImage(page: 9)
      #expect(try space.load(at: hugeBase.page(9), as: UInt8.self) == 77)
      #expect(space.says(hugeBase.page(9)) == "special r")
      machine.memory.flushDeferredFrees()
      #expect(machine.memory.census().framesInUse == 0)
    }
  }

  @Test(arguments: Engines.all) func aFirstStoreThroughASharedMapping(engine: PinEngine) throws {
    try withHugePages(engine: engine) { machine, space in
      let image = try Image(machine.memory, pages: 512) { UInt8(truncatingIfNeeded: $0) }
      try space.map(
        at: hugeBase, pages: 512, protection: .readWrite, sharing: .shared, backing: .mixed(image), hugePages: true)
      try space.store(UInt8(77), at: hugeBase.page(9))
      #expect(space.says(hugeBase.page(9)) == "normal rw dirty")
      #expect(try image.read(at: 9 * Page.size, count: 1) == [77])
      #expect(try space.load(at: hugeBase.page(10), as: UInt8.self) == 10)
    }
  }

  @Test func insertionsOf2MiBAreChecked() throws {
    try withHugePages { machine, space in
      let memory = machine.memory
      let image = try Image(memory, pages: 1024) { UInt8(truncatingIfNeeded: $0) }
      let device = try DeviceRange(memory, pages: 512)
      let none = try PageCacheFile(memory, pages: 0)
      func map(
        _ address: VirtualAddress, _ kind: MappingKind, pages: Int = 1024, _ sharing: Sharing = .shared,
        huge: Bool = true
      ) throws {
        try space.map(
          at: address, pages: pages, protection: .readWrite, sharing: sharing, backing: kind, hugePages: huge)
      }
      try map(hugeBase, .mixed(none))
      try map(other, .pfn(none, isIO: false))
      try map(0x9000_0000, .mixed(none), huge: false)
      try map(0xA000_0000, .mixed(none), pages: 511)
      try map(0xB000_0000, .pfn(image), .private)
      try map(0xC000_0000, .anonymous, .private)

      #expect(throws: PageError.badAddress) { try space.insertHugePFN(image.firstPFN, at: 0xF000_0000) }
      #expect(throws: PageError.badAddress) { try space.insertHugePFN(image.firstPFN, at: VirtualAddress(1 << 47)) }
      #expect(throws: PageError.invalidArgument) { try space.insertHugePFN(image.firstPFN, at: hugeBase.page(1)) }
      #expect(throws: PageError.invalidArgument) { try space.insertHugePFN(image.firstPFN + 1, at: hugeBase) }
      #expect(throws: PageError.invalidArgument) { try space.insertHugePFN(PFN(0), at: hugeBase) }
      // A mixed mapping counts what can be counted. Some may not have 2 MiB, or not there.
      #expect(throws: PageError.invalidArgument) { try space.insertHugePFN(device.firstPFN, at: hugeBase) }
      #expect(throws: PageError.invalidArgument) { try space.insertHugePFN(image.firstPFN, at: 0x9000_0000) }
      #expect(throws: PageError.invalidArgument) { try space.insertHugePFN(image.firstPFN, at: 0xA000_0000) }
      #expect(throws: PageError.invalidArgument) { try space.insertHugePFN(image.firstPFN, at: 0xC000_0000) }
      // A private pfn mapping is linear.
      #expect(throws: PageError.invalidArgument) { try space.insertHugePFN(image.firstPFN + 512, at: 0xB000_0000) }

      try space.insertHugePFN(image.firstPFN + 512, at: hugeBase)
      try space.insertHugePFN(device.firstPFN, at: other, writable: true)
      try space.insertHugePFN(image.firstPFN, at: 0xB000_0000)
      #expect(space.says(hugeBase.page(511)) == "special r" && space.says(other) == "special rw")
      #expect(try space.load(at: hugeBase.page(3), as: UInt8.self) == 3)
      try space.store(UInt8(9), at: other.page(7))
      #expect(device.deviceBytes(ofPage: 7).load(as: UInt8.self) == 9)
      try space.store(UInt8(9), at: VirtualAddress(0xB000_0000).page(7))
      #expect(space.says(VirtualAddress(0xB000_0000).page(7)) == "normal rw dirty")
      #expect(throws: PageError.busy) { try space.insertHugePFN(image.firstPFN, at: hugeBase) }
      #expect(throws: PageError.busy) { try space.insertMixed(image.firstPFN, at: hugeBase.page(3)) }
      // Page by page: 2 MiB come too late.
      try space.insertMixed(image.firstPFN, at: hugeBase.page(600))
      #expect(throws: PageError.busy) { try space.insertHugePFN(image.firstPFN, at: hugeBase.page(512)) }
    }
  }

  @Test func insertionsOfMoreThanThereIsAreRefused() throws {
    try withHugePages { machine, space in
      // Frame numbers are given out 2 MiB at a time. What lies behind the last page of this image is nothing.
      let image = try Image(machine.memory, pages: 5) { UInt8($0 + 1) }
      let device = try DeviceRange(machine.memory, pages: 513)
      let none = try PageCacheFile(machine.memory, pages: 0)
      try space.map(
        at: hugeBase, pages: 512, protection: .read, sharing: .shared, backing: .mixed(none), hugePages: true)
      try space.map(
        at: other, pages: 1024, protection: .read, sharing: .shared, backing: .pfn(none, isIO: false), hugePages: true)
      #expect(throws: PageError.invalidArgument) { try space.insertHugePFN(image.firstPFN, at: hugeBase) }
      #expect(throws: PageError.invalidArgument) { try space.insertHugePFN(device.firstPFN + 512, at: other) }
      #expect(throws: PageError.invalidArgument) { try space.insertPFN(image.firstPFN + 5, at: hugeBase) }
      #expect(throws: PageError.invalidArgument) { try space.insertMixed(image.firstPFN + 5, at: hugeBase) }
      try space.insertPFN(image.firstPFN + 4, at: hugeBase)
      #expect(try space.load(at: hugeBase, as: UInt8.self) == 5)
      try space.insertHugePFN(device.firstPFN, at: other)
    }
  }

  /// Says that it has 2 MiB where it has five pages.
  private final class Boaster: Backing {
    let image: Image
    init(_ image: Image) { self.image = image }
    let pageCount = 512
    func fault(page: Int, write: Bool) -> FaultAnswer { .frameNumber(image.firstPFN + page, writable: false) }
    func hugeFault(page: Int, write: Bool) -> FaultAnswer? { .frameNumber(image.firstPFN, writable: false) }
  }

  @Test func aBackingThatPromisesTooMuchGivesABusError() throws {
    try withHugePages { machine, space in
      let image = try Image(machine.memory, pages: 5) { UInt8($0 + 1) }
      try space.map(at: hugeBase, pages: 512, protection: .read, backing: .mixed(Boaster(image)), hugePages: true)
      #expect(try space.load(at: hugeBase.page(4), as: UInt8.self) == 5)
      #expect(throws: PageError.busError) { try space.load(at: hugeBase.page(5), as: UInt8.self) }
    }
  }
}
