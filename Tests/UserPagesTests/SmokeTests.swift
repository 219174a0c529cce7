import Testing
import UserPages

@Test func storeLoadAndPin() throws {
  let memory = try PhysicalMemory(ramPages: 64)
  do {
    let space = AddressSpace(memory)
    try space.map(at: 0x10000, pages: 4, protection: .readWrite)
    #expect(try space.load(at: 0x10000, as: UInt64.self) == 0)
    #expect(space.entry(at: 0x10000).description == "zero r")
    try space.store(UInt64(42), at: 0x10000)
    #expect(space.entry(at: 0x10000).description == "normal rw dirty")
    let pin = try space.pin(at: 0x10000, .write)
    #expect(pin.deviceBytes.load(as: UInt64.self) == 42)
    let child = try space.fork()
    pin.deviceBytes.store(UInt64(43))
    #expect(try space.load(at: 0x10000, as: UInt64.self) == 43)
    #expect(try child.load(at: 0x10000, as: UInt64.self) == 42)
    try space.unmap(at: 0x10000, pages: 4)
    #expect(throws: PageError.segmentationViolation) { try space.load(at: 0x10000, as: UInt64.self) }
    pin.release()
    child.exit()
    space.exit()
  }
  memory.flushDeferredFrees()
  #expect(memory.census().framesInUse == 0)
}
