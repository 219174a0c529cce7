import Testing
import UserPages

/// The README's sample as a test. `StructureTests` compares the lines.
@Suite struct ReadmeSampleTests {
  @Test func runs() throws {
    func pinOnePage() throws {
      let memory = try PhysicalMemory(ramPages: 1024)
      let space = AddressSpace(memory, engine: .slot)
      try space.map(at: 0x10000, pages: 16, protection: .readWrite)
      try space.store([0xc0, 0xff, 0xee], at: 0x10000)
      let pin = try space.pin(at: 0x10000, .write)
      try space.unmap(at: 0x10000, pages: 16)
      pin.store(UInt8(0), toByteOffset: 1)
      #expect(pin.copy(count: 3) == [0xc0, 0, 0xee])
      print(pin.pfn, pin.copy(count: 3))
      pin.release(dirty: true)
    }
    try pinOnePage()
  }
}
