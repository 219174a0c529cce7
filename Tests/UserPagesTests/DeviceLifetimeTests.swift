import Testing
import UserPages

/// A device's frames that a mixed mapping refcounts stay as long as they are pinned, or a grace period is still to
/// come.
@Test(arguments: PinEngine.allCases, [PinOptions(), .longTerm])
func deviceFramesOutliveTheDevice(engine: PinEngine, options: PinOptions) throws {
  let memory = try PhysicalMemory(ramPages: 16)
  do {
    let space = AddressSpace(memory, engine: engine)
    func pinOfADeviceThatIsGone() throws -> PinnedPage {
      let device = try DeviceRange(memory, pages: 2)
      try space.map(at: 0x10000, pages: 2, protection: .read, sharing: .shared, backing: .mixed(device))
      device.bytes(ofPage: 0).store(UInt64(5))
      _ = try space.load(at: 0x11000, as: UInt8.self)
      let pin = try space.pin(at: 0x10000, options)
      try space.unmap(at: 0x10000, pages: 2)
      return pin
    }
    let pin = try pinOfADeviceThatIsGone()
    memory.flushDeferredFrees()
    #expect(pin.deviceBytes.load(as: UInt64.self) == 5)
    pin.release()
    space.exit()
  }
  memory.flushDeferredFrees()
  #expect(memory.census().isClean)
}
