import TestSupport
import Testing
import UserPages

/// What the machine says of itself.
@Suite struct CensusTests {
  @Test(arguments: Engines.all)
  func everyUserIsCounted(engine: PinEngine) throws {
    let machine = try Machine(frames: 64)
    let memory = machine.memory
    #expect(memory.census().isClean)
    do {
      let space = AddressSpace(memory, engine: engine)
      let file = try PageCacheFile(memory, pages: 2)
      try space.map(at: 0x10000, pages: 2, protection: .readWrite)
      try space.map(at: 0x20000, pages: 2, protection: .readWrite, sharing: .shared, backing: .file(file))
      try space.store(UInt64(1), at: 0x10000)
      try space.store(UInt64(1), at: 0x20000)
      var census = memory.census()
      #expect(census.framesInUse == 2)
      #expect(census.mapcounts == 2)
      #expect(census.references == 3, "two mappings and the page cache")
      #expect(census.tableNodes == 4)
      let pin = try space.pin(at: 0x10000, .write)
      let get = try space.pin(at: 0x20000, .get)
      census = memory.census()
      #expect(census.pins >= 1)
      #expect(memory.frameInformation(of: pin.pfn)?.pinCount == 1)
      #expect(memory.frameInformation(of: get.pfn)?.pinCount == 0)
      #expect(space.frameInformation(at: 0x10000)?.isExclusive == true)
      #expect(space.frameInformation(at: 0x10000)?.isAnonymous == true)
      #expect(space.frameInformation(at: 0x20000)?.isAnonymous == false)
      #expect(space.frameInformation(at: 0x20000)?.isDirty == true)
      try space.unmap(at: 0x10000, pages: 2)
      try space.unmap(at: 0x20000, pages: 2)
      file.drop()
      // Takes the node of the third level, which no operation in a stripe does.
      space.exit()
      memory.flushDeferredFrees()
      census = memory.census()
      #expect(census.framesInUse == 2, "the pin and the get hold one each")
      #expect(census.mapcounts == 0)
      #expect(census.tableNodes == 1)
      pin.release()
      get.release()
    }
    #expect(machine.leaks() == [])
  }

  @Test func framesOfImagesHaveNoDescriptors() throws {
    let memory = try PhysicalMemory(ramPages: 8)
    let image = try Image(memory, pages: 1) { _ in 1 }
    let device = try DeviceRange(memory, pages: 1)
    let space = AddressSpace(memory)
    try space.map(at: 0x10000, pages: 1, protection: .read, backing: .mixed(image))
    try space.map(at: 0x20000, pages: 1, protection: .read, sharing: .shared, backing: .pfn(device, isIO: true))
    _ = try space.load(at: 0x10000, as: UInt8.self)
    _ = try space.load(at: 0x20000, as: UInt8.self)
    #expect(memory.frameInformation(of: image.firstPFN) == nil)
    #expect(space.frameInformation(at: 0x10000) == nil)
    #expect(memory.frameInformation(of: device.firstPFN) != nil)
    #expect(space.frameInformation(at: 0x20000) == nil, "mapped by number: the descriptor is there, and is not used")
    for number in [0, 1 << 50, UInt64.max] { #expect(memory.frameInformation(of: PFN(number)) == nil) }
  }
}
