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

  /// The store and the hook are a user's code, and may wait: they run outside of the section.
  @Test(arguments: [false, true])
  func aPageCacheEndsInsideASection(takesStores: Bool) throws {
    let machine = try Machine(frames: 64)
    let store = MemoryStore(pages: 4)
    let sectionsSeen = Locked<[Bool]>([])
    let hooks = PageCache.Hooks(willWriteBack: { _ throws(PageError) in
      sectionsSeen.withLock { $0.append(RCU.isReading) }
    })
    var cache: PageCache? = try PageCache(machine.memory, store, limit: 4, takesStores: takesStores, hooks: hooks)
    try cache!.write([7], at: Page.size)
    RCU.read { cache = nil }
    machine.memory.flushDeferredFrees()
    #expect(sectionsSeen.withLock { $0 } == [false])
    #expect(store.contents[Page.size] == 7)
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

  /// References that only wait for a grace period hold nothing, nor do pages on their way to the swap file.
  @Test(arguments: PinEngine.allCases)
  func aMachineEndsInsideASectionWithDeferredReferences(engine: PinEngine) throws {
    weak var ended: PhysicalMemory?
    do {
      var memory: PhysicalMemory? = try PhysicalMemory(ramPages: 64, swapFile: .temporary(pages: 16))
      ended = memory
      do {
        let space = AddressSpace(memory!, engine: engine)
        try space.map(at: 0x10000, pages: 8, protection: .readWrite)
        for page in 0..<8 { try space.store(UInt64(page), at: 0x10000 + page * Page.size) }
        try space.advise(at: 0x10000, pages: 4, .pageOut)
        try space.unmap(at: 0x11000, pages: 6)
        space.exit()
      }
      RCU.read { memory = nil }
    }
    #expect(ended == nil)
    RCU.barrier()
  }

  /// What is still held would be given back to an object that is gone. The frame is named, however it is held.
  private func expectTrap(_ result: ExitTest.Result?, saying words: String...) throws {
    let output = String(decoding: try #require(result).standardErrorContent, as: UTF8.self)
    for word in ["torn down with gets or pins outstanding"] + words { #expect(output.contains(word), "\(output)") }
  }

  @Test func aReferencePutInTheSectionThatEndedItsMachine() async throws {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      var memory: PhysicalMemory? = try PhysicalMemory(ramPages: 64)
      var reference: FrameReference? = try memory!.allocate()
      RCU.read {
        memory = nil
        reference.take()?.put()
      }
    }
    try expectTrap(result, saying: "references 1, pins 0")
  }

  @Test func aReferencePutAfterTheSectionThatEndedItsMachine() async throws {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      var memory: PhysicalMemory? = try PhysicalMemory(ramPages: 64)
      let reference = try memory!.allocate()
      RCU.read { memory = nil }
      reference.put()
    }
    try expectTrap(result, saying: "references 1, pins 0")
  }

  /// Takes a hold in a space that has exited. The references of the entries are deferred.
  private static func hold<Held: ~Copyable>(
    in memory: PhysicalMemory, _ engine: PinEngine, _ take: (AddressSpace) throws -> Held
  ) throws -> Held {
    let space = AddressSpace(memory, engine: engine)
    try space.map(at: 0x10000, pages: 4, protection: .readWrite)
    try space.store(UInt64(7), at: 0x10000)
    let held = try take(space)
    space.exit()
    return held
  }

  @Test func aGetThatOutlivesItsMachine() async throws {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      var memory: PhysicalMemory? = try PhysicalMemory(ramPages: 64)
      let get = try Self.hold(in: memory!, .reference) { space in try space.pin(at: 0x10000, .get) }
      RCU.read { memory = nil }
      get.release()
    }
    try expectTrap(result, saying: "references 1, pins 0")
  }

  @Test func aRangeOfGetsThatOutlivesItsMachine() async throws {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      var memory: PhysicalMemory? = try PhysicalMemory(ramPages: 64)
      let gets = try Self.hold(in: memory!, .reference) { space in try space.get(at: 0x10000, pages: 4) }
      RCU.read { memory = nil }
      gets.release()
    }
    try expectTrap(result, saying: "references 1, pins 0")
  }

  @Test func aCountedPinThatOutlivesItsMachine() async throws {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      var memory: PhysicalMemory? = try PhysicalMemory(ramPages: 64)
      let pin = try Self.hold(in: memory!, .reference) { space in try space.pin(at: 0x10000, .write) }
      RCU.read { memory = nil }
      pin.release()
    }
    try expectTrap(result, saying: "references 1, pins 1")
  }

  @Test func aSlotPinThatOutlivesItsMachine() async throws {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      var memory: PhysicalMemory? = try PhysicalMemory(ramPages: 64)
      let pin = try Self.hold(in: memory!, .slot) { space in try space.pin(at: 0x10000, .write) }
      RCU.read { memory = nil }
      pin.release()
    }
    try expectTrap(result, saying: "in a slot")
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
