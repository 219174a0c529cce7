import Foundation
import TestSupport
import Testing

@testable import UserPages

/// The last reference to something is given up inside a section, where nothing may wait.
@Suite(.serialized, .timeLimit(.minutes(2)))
struct EndInsideASectionTests {
  @Test(arguments: PinEngine.allCases)
  func aSpaceEndsInsideASection(engine: PinEngine) throws {
    let machine = try Machine(frames: 64)
    for _ in 0..<20 {
      var space: AddressSpace? = AddressSpace(machine.memory, engine: engine)
      try space!.map(at: 0x10000, pages: 8, protection: .readWrite, sharing: .shared)
      for page in 0..<8 { try space!.store(UInt64(page), at: 0x10000 + page * Page.size) }
      RCU.read { space = nil }
      machine.memory.flushDeferredFrees()
      #expect(machine.memory.census().isClean)
    }
    #expect(machine.leaks() == [])
  }

  @Test func aDeviceEndsInsideASection() throws {
    let machine = try Machine(frames: 64)
    var device: DeviceRange? = try DeviceRange(machine.memory, pages: 2)
    let pfn = device!.firstPFN
    let bytes = device!.deviceBytes(ofPage: 1)
    bytes.store(UInt64(7))
    let word = RCU.read { () -> UInt64 in
      device = nil
      // Its frames have no number any more. Their bytes are there as long as a section may have met them.
      return bytes.load(as: UInt64.self)
    }
    #expect(word == 7)
    machine.memory.flushDeferredFrees()
    #expect(machine.memory.frameInformation(of: pfn) == nil)
    #expect(machine.leaks() == [])
  }

  /// Ends when its machine does.
  private final class Cache: DataCacheFlushing {
    func flush(_ page: PageBytes) {}
  }

  @Test(arguments: [false, true])
  func aMachineEndsInsideASection(byItself: Bool) throws {
    var memory: PhysicalMemory?
    weak var weakCache: Cache?
    do {
      let cache = Cache()
      weakCache = cache
      memory = try PhysicalMemory(ramPages: 64, dataCache: cache)
    }
    var space: AddressSpace? = AddressSpace(memory!)
    try space!.map(at: 0x10000, pages: 8, protection: .readWrite, sharing: .shared)
    try space!.store(UInt64(1), at: 0x10000)
    RCU.read {
      space = nil
      memory = nil
    }
    if byItself {
      // By the library's own thread, whenever it comes to it.
      while weakCache != nil { sched_yield() }
    } else {
      RCU.barrier()
      #expect(weakCache == nil)
    }
  }

  @Test func waitingInsideASectionTraps() async throws {
    let said = "a grace period inside a read-side section would never end"
    func text(_ result: ExitTest.Result?) throws -> String {
      String(decoding: try #require(result).standardErrorContent, as: UTF8.self)
    }
    let synchronize = try text(
      await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        RCU.read { RCU.synchronize() }
      })
    #expect(synchronize.contains(said))
    let barrier = try text(
      await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        RCU.read { RCU.barrier() }
      })
    #expect(barrier.contains(said))
  }
}
