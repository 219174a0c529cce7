import TestSupport
import Testing

@testable import UserPages

/// 2 MiB of a file in one frame of the page cache.
@Suite struct HugeFileTests {
  private func withFile(
    pages: Int = 1024, engine: PinEngine = .reference, _ body: (Machine, AddressSpace, PageCacheFile) throws -> Void
  ) throws {
    try withHugePages(engine: engine) { machine, space in
      let file = try PageCacheFile(machine.memory, pages: pages, fill: 0x0F)
      try body(machine, space, file)
      space.exit()
      file.drop()
    }
  }

  private func share(
    _ space: AddressSpace, _ file: PageCacheFile, at address: VirtualAddress = hugeBase, pages: Int = 1024,
    _ sharing: Sharing = .shared, offset: Int = 0, huge: Bool = true
  ) throws {
    try space.map(
      at: address, pages: pages, protection: .readWrite, sharing: sharing, backing: .file(file), offset: offset,
      hugePages: huge)
  }

  private let fill: UInt64 = 0x0F0F_0F0F_0F0F_0F0F

  @Test(arguments: Engines.all) func aSharedMapping(engine: PinEngine) throws {
    try withFile(engine: engine) { machine, space, file in
      try share(space, file)
      #expect(try space.load(at: hugeBase.page(5), as: UInt64.self) == fill)
      #expect(space.says(hugeBase) == "huge r")
      #expect(space.frameInformation(at: hugeBase)?.isDirty == false)
      try space.store(UInt64(7), at: hugeBase.page(5))
      #expect(space.says(hugeBase) == "huge rw dirty")
      #expect(space.frameInformation(at: hugeBase)?.isDirty == true)
      try space.store(UInt64(8), at: hugeBase.page(600))
      #expect(space.says(hugeBase.page(600)) == "huge rw dirty")
      #expect(try file.read(at: 5 * Page.size, count: 2) == [7, 0])
      try file.write([9], at: 600 * Page.size)
      #expect(try space.load(at: hugeBase.page(600), as: UInt64.self) == 9)
      let census = machine.memory.census()
      #expect(census.framesInUse == 1024 && census.mapcounts == 2 && census.references == 1024 + 2)
      #expect(space.counters.copies == 0)
    }
  }

  @Test(arguments: Engines.all) func aSecondMappingShowsTheSameFrame(engine: PinEngine) throws {
    try withFile(engine: engine) { machine, space, file in
      let other = AddressSpace(machine.memory, engine: engine)
      try share(space, file)
      try share(other, file, at: hugeBase.page(512))
      try space.store(UInt64(7), at: hugeBase.page(5))
      #expect(try other.load(at: hugeBase.page(517), as: UInt64.self) == 7)
      #expect(other.says(hugeBase.page(512)) == "huge r")
      #expect(try space.pfn(hugeBase.page(5)) == (try other.pfn(hugeBase.page(517))))
      #expect(space.frameInformation(at: hugeBase)?.mapCount == 2)
      // Aligned otherwise, or without leave for 2 MiB, it is mapped page by page. It is the same frame.
      try share(other, file, at: 0x8000_0000, pages: 1023, offset: 1)
      #expect(try other.load(at: 0x8000_4000, as: UInt64.self) == 7)
      #expect(other.says(0x8000_4000) == "normal r")
      try share(other, file, at: 0x9000_0000, huge: false)
      #expect(try other.load(at: 0x9000_5000, as: UInt64.self) == 7)
      #expect(space.frameInformation(at: hugeBase.page(5))?.mapCount == 4)
      #expect(space.frameInformation(at: hugeBase.page(6))?.mapCount == 2)
      let pin = try other.pin(at: 0x9000_5000, .write)
      #expect(space.frameInformation(at: hugeBase.page(6))?.pinCount == 1)
      pin.deviceBytes.store(UInt64(70))
      pin.release(dirty: true)
      #expect(try space.load(at: hugeBase.page(5), as: UInt64.self) == 70)
      other.exit()
      machine.memory.flushDeferredFrees()
      #expect(space.frameInformation(at: hugeBase)?.referenceCount == 512 + 1)
    }
  }

  @Test(arguments: Engines.all) func aPrivateMappingCopiesOnePage(engine: PinEngine) throws {
    try withFile(engine: engine) { machine, space, file in
      try share(space, file, .private)
      #expect(try space.load(at: hugeBase.page(5), as: UInt64.self) == fill)
      #expect(space.says(hugeBase) == "huge r")
      try space.store(UInt64(7), at: hugeBase.page(5))
      #expect(space.says(hugeBase.page(5)) == "normal rw dirty" && space.says(hugeBase.page(6)) == "normal r")
      #expect(space.frameInformation(at: hugeBase.page(5))?.isAnonymous == true)
      #expect(space.frameInformation(at: hugeBase.page(6))?.isAnonymous == false)
      #expect(try file.read(at: 5 * Page.size, count: 1) == [0x0F])
      #expect(machine.memory.census().framesInUse == 513)
      // A first store makes a page, and no more.
      try space.store(UInt64(7), at: hugeBase.page(512))
      #expect(space.says(hugeBase.page(512)) == "normal rw dirty" && space.says(hugeBase.page(513)) == "none")
      let child = try space.fork()
      try file.write([0xEE], at: 6 * Page.size)
      #expect(try child.load(at: hugeBase.page(6), count: 2) == [0xEE, 0x0F])
      #expect(try child.load(at: hugeBase.page(5), as: UInt64.self) == 7)
      child.exit()
    }
  }

  @Test(arguments: Engines.all) func aLongPinOfAPrivateMappingHasItsOwnPage(engine: PinEngine) throws {
    try withFile(engine: engine) { machine, space, file in
      try share(space, file, .private)
      _ = try space.load(at: hugeBase, as: UInt8.self)
      let short = try space.pin(at: hugeBase.page(3))
      #expect(space.says(hugeBase) == "huge r" && space.frameInformation(at: hugeBase)?.pinCount == 1)
      let long = try space.pin(at: hugeBase.page(3), .longTerm)
      #expect(long.pfn != short.pfn)
      try space.store(UInt64(9), at: hugeBase.page(3))
      #expect(long.deviceBytes.load(as: UInt64.self) == 9 && short.deviceBytes.load(as: UInt64.self) == fill)
      short.release()
      long.release()
    }
  }

  @Test(arguments: Engines.all) func rangesOfAFile(engine: PinEngine) throws {
    try withFile(engine: engine) { machine, space, file in
      try share(space, file)
      let pins = try space.pin(at: hugeBase.page(1), pages: 1000, .write)
      #expect(pins.count == 1000 && machine.memory.census().pins == 2)
      pins.deviceBytes(at: 999).store(UInt64(5))
      space.exit()
      file.drop()
      machine.memory.flushDeferredFrees()
      #expect(machine.memory.census().framesInUse == 1024)
      #expect(
        pins.deviceBytes(at: 999).load(as: UInt64.self) == 5 && pins.deviceBytes(at: 0).load(as: UInt64.self) == fill)
      pins.release(dirty: true)
      machine.memory.flushDeferredFrees()
      #expect(machine.memory.census().framesInUse == 0)
    }
  }

  @Test(arguments: Engines.all) func theCacheIsDropped(engine: PinEngine) throws {
    try withFile(engine: engine) { machine, space, file in
      try share(space, file)
      try space.store(UInt64(7), at: hugeBase.page(5))
      file.drop()
      machine.memory.flushDeferredFrees()
      #expect(space.frameInformation(at: hugeBase)?.referenceCount == 1)
      #expect(try space.load(at: hugeBase.page(5), as: UInt64.self) == 7)
      #expect(try file.read(at: 5 * Page.size, count: 1) == [0x0F])
      #expect(machine.memory.census().framesInUse == 513)
      try space.unmap(at: hugeBase, pages: 1024)
      machine.memory.flushDeferredFrees()
      #expect(machine.memory.census().framesInUse == 1)
      // A page that came by itself keeps its 2 MiB in pages.
      try share(space, file)
      #expect(try space.load(at: hugeBase, as: UInt64.self) == fill)
      #expect(space.says(hugeBase) == "normal r" && space.says(hugeBase.page(1)) == "none")
      #expect(try space.load(at: hugeBase.page(512), as: UInt64.self) == fill)
      #expect(space.says(hugeBase.page(512)) == "huge r")
    }
  }

  @Test func theEndOfAFileIsNot2MiB() throws {
    try withFile(pages: 600) { _, space, file in
      try share(space, file)
      _ = try space.load(at: hugeBase.page(599), as: UInt8.self)
      #expect(space.says(hugeBase.page(599)) == "normal r")
      #expect(throws: PageError.busError) { try space.load(at: hugeBase.page(600), as: UInt8.self) }
      _ = try space.load(at: hugeBase, as: UInt8.self)
      #expect(space.says(hugeBase) == "huge r")
      // The mapping's own border, where the file goes on.
      try share(space, file, at: 0x8000_0000, pages: 511)
      _ = try space.load(at: 0x8000_0000, as: UInt8.self)
      #expect(space.says(0x8000_0000) == "normal r")
    }
  }

  @Test(arguments: Engines.all) func dirtIsKeptWhateverTheWayOut(engine: PinEngine) throws {
    try withFile(engine: engine) { machine, space, file in
      try share(space, file)
      try space.store(UInt64(1), at: hugeBase.page(3))
      try space.protect(at: hugeBase, pages: 512, .read)
      try space.protect(at: hugeBase, pages: 512, .readWrite)
      #expect(space.says(hugeBase) == "huge rw dirty", "its frame knows already")
      try space.advise(at: hugeBase, pages: 10, .dontNeed)
      #expect(try space.load(at: hugeBase.page(3), as: UInt64.self) == 1)
      #expect(space.says(hugeBase.page(3)) == "normal r" && space.says(hugeBase.page(11)) == "normal rw dirty")
      #expect(space.frameInformation(at: hugeBase.page(3))?.isDirty == true)
      machine.memory.flushDeferredFrees()
      #expect(space.frameInformation(at: hugeBase.page(3))?.referenceCount == 512 + 502 + 1)
    }
  }

  @Test func sharedMemoryWithoutAName() throws {
    try withHugePages { machine, space in
      try space.map(at: hugeBase, pages: 512, protection: .readWrite, sharing: .shared, hugePages: true)
      try space.store(UInt64(1), at: hugeBase.page(3))
      #expect(space.says(hugeBase) == "huge rw dirty")
      let child = try space.fork()
      try child.store(UInt64(2), at: hugeBase.page(4))
      #expect(try space.load(at: hugeBase.page(4), as: UInt64.self) == 2)
      #expect(machine.memory.census().framesInUse == 512)
      child.exit()
    }
  }

  @Test func framesOfTheCacheCanBeInserted() throws {
    // A driver that maps the pages of another program's file: any part of 2 MiB is as good as the first.
    try withFile { machine, space, file in
      try share(space, file)
      _ = try space.load(at: hugeBase, as: UInt8.self)
      let first = try space.pfn(hugeBase)
      let none = try PageCacheFile(machine.memory, pages: 8, fill: 1)
      try space.map(at: 0x1_0000, pages: 4, protection: .read, sharing: .shared, backing: .mixed(none))
      try space.insertPage(first, at: 0x1_0000)
      try space.insertPage(first + 5, at: 0x1_1000)
      try space.insertMixed(first + 6, at: 0x1_2000)
      for page in 0..<3 {
        #expect(try space.load(at: VirtualAddress(0x1_0000).page(page), as: UInt64.self) == fill)
        #expect(space.says(VirtualAddress(0x1_0000).page(page)) == "normal r")
      }
      #expect(space.frameInformation(at: 0x1_1000)?.mapCount == 2)
      #expect(space.frameInformation(at: hugeBase)?.referenceCount == 512 + 4)
      let pin = try space.pin(at: 0x1_1000)
      #expect(pin.pfn == first + 5)
      pin.release()
      try space.unmap(at: 0x1_0000, pages: 4)
      machine.memory.flushDeferredFrees()
      #expect(space.frameInformation(at: hugeBase)?.referenceCount == 512 + 1)
    }
  }
}
