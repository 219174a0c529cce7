import Synchronization
import TestSupport
import Testing

@testable import UserPages

/// Frame numbers that are looked up while the memory behind them ends.
@Suite struct SectionEndTests {
  /// Every descriptor of a device is read by number and counted while the device comes and goes.
  @Test func lookingAtADeviceThatEnds() throws {
    let memory = try PhysicalMemory(ramPages: 64)
    let torture = Torture("the end of a device")
    let first = try DeviceRange(memory, pages: 512).firstPFN
    torture.run([
      Worker("ends devices", threads: 1) { run in
        while run.next() { _ = try DeviceRange(memory, pages: 512) }
      },
      Worker("asks for a frame", threads: 2) { run in
        while run.next() {
          guard let frame = memory.frameInformation(of: first + run.random.below(512)) else { continue }
          torture.expect(frame.referenceCount <= 1 && frame.pinCount == 0 && frame.mapCount == 0, "\(frame)")
        }
      },
      Worker("counts all", threads: 1) { run in
        while run.next() {
          let census = memory.census()
          torture.expect(census.pins == 0 && census.mapcounts == 0, "\(census)")
        }
      },
    ])
    #expect(torture.failures == [])
    memory.flushDeferredFrees()
    #expect(memory.frameInformation(of: first) == nil)
    #expect(memory.census().isClean)
  }

  /// The memory waits for a read-side section that found the device, and its numbers are free afterwards.
  @Test func theEndWaitsForReaders() throws {
    let memory = try PhysicalMemory(ramPages: 64)
    let first: PFN
    do {
      let device = try DeviceRange(memory, pages: 3)
      first = device.firstPFN
      device.bytes(ofPage: 2).store(UInt64(7))
      // Ended inside a section, the device is unpublished at once. Its memory cannot go before the section has ended.
      try RCU.read {
        var last: DeviceRange? = try DeviceRange(memory, pages: 1)
        let second = last!.firstPFN
        #expect(memory.frames.kind(of: second) == .described)
        last = nil
        #expect(memory.frames.kind(of: second) == .hole)
        #expect(memory.frames.frame(second).references == 0)
      }
    }
    #expect(memory.frames.kind(of: first) == .hole)
    memory.flushDeferredFrees()
    #expect(try DeviceRange(memory, pages: 3).firstPFN == first, "its numbers are given out again")
  }

  /// What a pin held of a device that ended goes with the pin, not with the machine.
  @Test(arguments: PinEngine.allCases, [PinOptions(), .get, .longTerm])
  func theLastPinEndsTheDevice(engine: PinEngine, options: PinOptions) throws {
    let memory = try PhysicalMemory(ramPages: 16)
    let space = AddressSpace(memory, engine: engine)
    var first = PFN(0)
    func hold() throws -> PinnedPage {
      let device = try DeviceRange(memory, pages: 600)
      try space.map(at: 0x10000, pages: 600, protection: .read, sharing: .shared, backing: .mixed(device))
      let pin = try space.pin(at: 0x10000, options)
      try space.unmap(at: 0x10000, pages: 600)
      first = device.firstPFN
      return pin
    }
    let pin = try hold()
    memory.flushDeferredFrees()
    #expect(pin.pfn == first)
    #expect(memory.frames.kind(of: first) == .described)
    pin.release()
    memory.flushDeferredFrees()
    #expect(memory.frames.kind(of: first) == .hole)
    #expect(memory.census().references == 0)
  }
}
