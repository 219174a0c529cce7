import TestSupport
import Testing

@testable import UserPages

/// Which pages are normal, as a user of the library sees it: the same answers from either way of telling.
@Suite struct NormalPageTests {
  let machine: Machine
  var memory: PhysicalMemory { machine.memory }
  static let start: VirtualAddress = 0x10_0000

  init() throws { machine = try Machine(frames: 256) }

  private func page(_ index: Int) -> VirtualAddress { Self.start + index * Page.size }

  @Test("A mixed mapping: frame numbers without a descriptor, and the copies of private pages", arguments: Engines.all)
  func mixed(engine: PinEngine) throws {
    do {
      let image = try Image(memory, pages: 4) { UInt8($0 + 1) }
      let space = AddressSpace(memory, engine: engine)
      try space.map(at: page(0), pages: 4, protection: .readWrite, backing: .mixed(image))
      #expect(try space.load(at: page(0), as: UInt8.self) == 1)
      #expect(space.entry(at: page(0)).description == "special r")
      #expect(space.frameInformation(at: page(0)) == nil)
      #expect(throws: PageError.badAddress) { try space.pin(at: page(0)).release() }
      try space.store(UInt8(9), at: page(1))
      #expect(space.entry(at: page(1)).description == "normal rw dirty")
      let pin = try space.pin(at: page(1), .write)
      #expect(space.frameInformation(at: page(1))?.pinCount == 1)
      let child = try space.fork()
      #expect(child.entry(at: page(0)).description == "special r")
      #expect(try child.load(at: page(1), as: UInt8.self) == 9)
      pin.release()
      try space.unmap(at: page(0), pages: 2)
      child.exit()
      space.exit()
    }
    #expect(machine.leaks().isEmpty)
  }

  @Test("A page of an image that moved into the page cache is normal, its neighbours are not", arguments: Engines.all)
  func migrated(engine: PinEngine) throws {
    do {
      let image = try Image(memory, pages: 2) { _ in 5 }
      let space = AddressSpace(memory, engine: engine)
      try space.map(at: page(0), pages: 2, protection: .read, backing: .mixed(image))
      for index in 0..<2 { _ = try space.load(at: page(index), as: UInt8.self) }
      try image.migrateToCache(page: 0)
      #expect(try space.load(at: page(0), as: UInt8.self) == 5)
      #expect(space.entry(at: page(0)).description == "normal r")
      #expect(space.entry(at: page(1)).description == "special r")
      try space.pin(at: page(0)).release()
      try image.migrateToImage(page: 0)
      #expect(try space.load(at: page(0), as: UInt8.self) == 5)
      #expect(space.entry(at: page(0)).description == "special r")
      space.exit()
    }
    #expect(machine.leaks().isEmpty)
  }

  @Test("A device's frames have descriptors, and no mapping by number counts them", arguments: Engines.all)
  func device(engine: PinEngine) throws {
    do {
      let device = try DeviceRange(memory, pages: 4)
      let space = AddressSpace(memory, engine: engine)
      try space.map(at: page(0), pages: 4, protection: .readWrite, sharing: .shared, backing: .pfn(device, isIO: true))
      for index in 0..<4 { try space.store(UInt8(index), at: page(index)) }
      #expect(space.entry(at: page(2)).description == "special rw dirty")
      #expect(space.frameInformation(at: page(2)) == nil)
      for options in [[], .write, .get, .fastOnly] as [PinOptions] {
        #expect(throws: (options == .fastOnly ? PageError.tryAgain : .badAddress)) {
          try space.pin(at: page(2), options).release()
        }
      }
      let child = try space.fork()
      try space.protect(at: page(0), pages: 4, .none)
      try space.protect(at: page(0), pages: 4, .readWrite)
      #expect(space.entry(at: page(2)).description == "special rw dirty")
      try space.remap(at: page(0), pages: 4, to: page(16), newPages: 4)
      #expect(space.entry(at: page(18)).description == "special rw dirty")
      try space.unmap(at: page(17), pages: 1)
      for index in 0..<4 {
        let information = memory.frameInformation(of: device.firstPFN + index)
        #expect(information?.referenceCount == 1 && information?.mapCount == 0 && information?.pinCount == 0)
      }
      child.exit()
      space.exit()
    }
    #expect(machine.leaks().isEmpty)
  }

  @Test("A private mapping by number: copies are normal, also when moved, the rest is special", arguments: Engines.all)
  func privateLinear(engine: PinEngine) throws {
    do {
      let device = try DeviceRange(memory, pages: 8)
      let space = AddressSpace(memory, engine: engine)
      try space.map(at: page(0), pages: 4, protection: .readWrite, backing: .pfn(device, isIO: true), offset: 3)
      for index in 0..<4 { _ = try space.load(at: page(index), as: UInt8.self) }
      try space.store(UInt8(1), at: page(1))
      try space.unmap(at: page(0), pages: 1)
      try space.remap(at: page(1), pages: 3, to: page(32), newPages: 3)
      let child = try space.fork()
      for space in [space, child] {
        #expect(space.entry(at: page(32)).description == "normal r dirty")
        #expect(space.frameInformation(at: page(32))?.referenceCount == 2)
        #expect(space.entry(at: page(33)).description == "special r")
        #expect(space.frameInformation(at: page(33)) == nil)
      }
      child.exit()
      try space.protect(at: page(32), pages: 3, .none)
      try space.protect(at: page(32), pages: 3, .readWrite)
      try space.store(UInt8(2), at: page(34))
      #expect(space.entry(at: page(34)).description == "normal rw dirty")
      #expect(space.entry(at: page(33)).description == "special r")
      space.exit()
    }
    #expect(machine.leaks().isEmpty)
  }

  @Test("A private mapping by number must be linear")
  func privateNotLinear() throws {
    final class Backwards: Backing {
      let device: DeviceRange
      init(_ device: DeviceRange) { self.device = device }
      var pageCount: Int { device.pageCount }
      func fault(page: Int, write: Bool) -> FaultAnswer {
        .frameNumber(device.firstPFN + (device.pageCount - 1 - page), writable: true)
      }
    }
    do {
      let backwards = Backwards(try DeviceRange(memory, pages: 4))
      let space = AddressSpace(memory)
      memory.onBackingDiagnostic { _ in }
      try space.map(at: page(0), pages: 4, protection: .readWrite, backing: .pfn(backwards, isIO: false))
      #expect(throws: PageError.busError) { try space.load(at: page(0), as: UInt8.self) }
      // A shared one need not be, and a mixed one refers to what has a descriptor.
      try space.map(
        at: page(4), pages: 4, protection: .readWrite, sharing: .shared, backing: .pfn(backwards, isIO: false))
      try space.store(UInt8(3), at: page(4))
      #expect(space.entry(at: page(4)).description == "special rw dirty")
      try space.map(at: page(8), pages: 4, protection: .read, sharing: .shared, backing: .mixed(backwards))
      #expect(try space.load(at: page(8), as: UInt8.self) == 3)
      #expect(space.entry(at: page(8)).description == "normal r")
      space.exit()
    }
    #expect(machine.leaks().isEmpty)
  }

  @Test("The fast path stays fast for normal pages, and takes the zero page for reading", arguments: Engines.lockless)
  func fastPath(engine: PinEngine) throws {
    do {
      let file = try PageCacheFile(memory, pages: 2, fill: 7)
      let space = AddressSpace(memory, engine: engine)
      try space.map(at: page(0), pages: 2, protection: .readWrite)
      try space.map(at: page(8), pages: 2, protection: .read, backing: .file(file))
      #expect(try space.load(at: page(0), as: UInt8.self) == 0)
      #expect(space.entry(at: page(0)).description == "zero r")
      try space.pin(at: page(0), .fastOnly).release()
      #expect(throws: PageError.tryAgain) { try space.pin(at: page(0), [.fastOnly, .write]).release() }
      try space.store(UInt8(1), at: page(1))
      _ = try space.load(at: page(8), as: UInt8.self)
      let before = space.counters.fast
      try space.pin(at: page(1), [.fastOnly, .write]).release()
      try space.pin(at: page(8), .fastOnly).release()
      #expect(space.counters.fast == before + 2)
      space.exit()
      file.drop()
    }
    #expect(machine.leaks().isEmpty)
  }

  /// Without the bit, the answer needs the mapping, and entry and mapping are read without a lock. Where a device and a
  /// file take turns at one address, a match gone wrong shows at once: a reference on a device's frame.
  @Test("A mapping that changes between by number and by frame is never taken for the other", arguments: Engines.all)
  func replaced(engine: PinEngine) throws {
    let torture = Torture("normal page against replaced mapping, \(engine)")
    do {
      let device = try DeviceRange(memory, pages: 2)
      let file = try PageCacheFile(memory, pages: 2, fill: 7)
      let space = AddressSpace(memory, engine: engine)
      let deviceFrames = device.firstPFN..<device.firstPFN + 2
      let pinned = torture.tally("pins", goal: 50)
      let refused = torture.tally("refusals", goal: 50)
      let start = page(0)
      torture.run([
        Worker("replace") { run in
          while run.next() {
            try space.map(
              at: start, pages: 2, protection: .readWrite, sharing: .shared, backing: .pfn(device, isIO: true))
            _ = try space.load(at: start, as: UInt8.self)
            run.pauseRandomly()
            try space.map(at: start, pages: 2, protection: .readWrite, sharing: .shared, backing: .file(file))
            _ = try space.load(at: start, as: UInt8.self)
            run.pauseRandomly()
          }
        },
        Worker("pin") { run in
          while run.next() {
            do {
              let pin = try space.pin(at: start)
              if deviceFrames.contains(pin.pfn) { torture.fail("a device's frame was pinned") }
              pin.release()
              pinned.count()
            } catch {
              refused.count()
            }
          }
        },
        Worker("look") { run in
          while run.next() {
            if let frame = space.frameInformation(at: start), frame.isAnonymous {
              torture.fail("a shared page was anonymous")
            }
          }
        },
      ])
      space.exit()
      memory.flushDeferredFrees()
      for pfn in [device.firstPFN, device.firstPFN + 1] {
        #expect(memory.frameInformation(of: pfn)?.referenceCount == 1)
        #expect(memory.frameInformation(of: pfn)?.mapCount == 0)
      }
      file.drop()
    }
    #expect(torture.failures == [])
    #expect(machine.leaks().isEmpty)
  }
}
