import Foundation
import TestSupport
import Testing

@testable import UserPages

/// An image that says where the library calls it from.
private final class WatchedImage: Backing {
  let image: Image
  let moves = InvalidationSequence()
  let spaces = BackingUsers()
  let didCopy: @Sendable (PageBytes) -> Void
  /// What of it was called.
  let calls = Locked<[String]>([])
  let findings = Locked<[String]>([])

  init(_ image: Image, didCopy: @escaping @Sendable (PageBytes) -> Void = { _ in }) {
    self.image = image
    self.didCopy = didCopy
  }

  private func check(_ name: String) {
    calls.withLock { $0.append(name) }
    if RCU.isReading { findings.withLock { $0.append("\(name) inside a read-side section") } }
  }

  var pageCount: Int {
    check("pageCount")
    return image.pageCount
  }

  var sequence: InvalidationSequence? {
    check("sequence")
    return moves
  }

  var users: BackingUsers? {
    check("users")
    return spaces
  }

  var firstFrame: PFN? {
    check("firstFrame")
    return image.firstPFN
  }

  var takesStores: Bool {
    check("takesStores")
    return false
  }

  func hugeFault(page: Int, write: Bool) -> FaultAnswer? {
    check("hugeFault")
    return image.hugeFault(page: page, write: write)
  }

  func fault(page: Int, write: Bool) -> FaultAnswer {
    check("fault")
    return .frameNumber(image.firstPFN + page, writable: false)
  }

  func didCopy(page: Int, to copy: PageBytes) {
    check("didCopy")
    // Inside a section it would wait for itself.
    if !RCU.isReading { didCopy(copy) }
  }
}

/// A backing that ends its own mapping when it is asked, so that the fault has the last reference to it.
private final class Parting: Backing {
  let pageCount = 1
  private let onFault: @Sendable () -> FaultAnswer
  private let onEnd: @Sendable () -> Void

  init(onFault: @escaping @Sendable () -> FaultAnswer, onEnd: @escaping @Sendable () -> Void) {
    self.onFault = onFault
    self.onEnd = onEnd
  }

  deinit { onEnd() }

  func fault(page: Int, write: Bool) -> FaultAnswer { onFault() }
}

/// What a backing may do when it is called, and what it may name.
struct BackingRuleTests {
  private func withMachine(frames: Int, _ body: (Machine) throws -> Void) throws {
    let machine = try Machine(frames: frames)
    try body(machine)
    #expect(machine.leaks() == [])
  }

  @Test(arguments: Engines.all, [false, true])
  func aBackingIsCalledOutsideOfSections(engine: PinEngine, isMappedFirst: Bool) throws {
    try withMachine(frames: 8) { machine in
      let space = AddressSpace(machine.memory, engine: engine)
      let other = AddressSpace(machine.memory, engine: engine)
      try other.map(at: 0x5000, pages: 8, protection: .readWrite)
      let copies = Locked<[[UInt8]]>([])
      let watched = WatchedImage(try Image(machine.memory, pages: 1) { _ in 5 }) { copy in
        // The page goes away, and all memory becomes another program's: the copy stays what it was.
        guard (try? space.unmap(at: 0x9000, pages: 1)) != nil else { return }
        machine.memory.flushDeferredFrees()
        for page in 0..<8 { try? other.store(UInt8(9), at: VirtualAddress(0x5000) + page * Page.size) }
        copies.withLock { $0.append(copy.copy(count: 2)) }
      }
      try space.map(at: 0x9000, pages: 1, protection: .readWrite, backing: .mixed(watched))
      if isMappedFirst { _ = try space.load(at: 0x9000, as: UInt8.self) }
      #expect(throws: PageError.segmentationViolation) { try space.store(UInt8(6), at: 0x9000) }
      #expect(copies.withLock { $0 } == [[5, 5]])
      #expect(watched.findings.withLock { $0 } == [])
      space.exit()
      other.exit()
    }
  }

  @Test(arguments: Engines.all)
  func aBackingOfHugeOrSpecialEntriesIsCalledOutsideOfSections(engine: PinEngine) throws {
    try withMachine(frames: 8) { machine in
      let space = AddressSpace(machine.memory, engine: engine)
      // 2 MiB, and a tail that is too short for a huge entry.
      let watched = WatchedImage(try Image(machine.memory, pages: 513) { _ in 5 })
      for kind in [MappingKind.mixed(watched), .pfn(watched)] {
        for sharing in [Sharing.private, .shared] {
          try space.map(
            at: hugeBase, pages: 1024, protection: .readWrite, sharing: sharing, backing: kind, hugePages: true)
          #expect(try space.load(at: hugeBase.page(511), as: UInt8.self) == 5)
          #expect(try space.load(at: hugeBase.page(512), as: UInt8.self) == 5)
          #expect(throws: PageError.busError) { try space.load(at: hugeBase.page(513), as: UInt8.self) }
          if sharing == .shared {
            #expect(throws: PageError.busError) { try space.store(UInt8(6), at: hugeBase) }
          } else {
            try space.store(UInt8(6), at: hugeBase)
          }
          try space.protect(at: hugeBase.page(256), pages: 256, .read)
          try space.unmap(at: hugeBase, pages: 1024)
        }
      }
      #expect(watched.findings.withLock { $0 } == [])
      space.exit()
    }
  }

  /// A fork holds the locks of parent and child: a backing that is called there and waits for either waits for itself.
  @Test(arguments: Engines.all)
  func aForkCallsNoBacking(engine: PinEngine) throws {
    try withMachine(frames: 16) { machine in
      let space = AddressSpace(machine.memory, engine: engine)
      let watched = WatchedImage(try Image(machine.memory, pages: 4) { _ in 5 })
      try space.map(at: 0x10000, pages: 4, protection: .readWrite, backing: .mixed(watched))
      try space.map(at: 0x20000, pages: 4, protection: .readWrite, backing: .pfn(watched))
      try space.map(at: 0x30000, pages: 4, protection: .readWrite, sharing: .shared, backing: .mixed(watched))
      for start in [0x10000, 0x20000, 0x30000] as [VirtualAddress] { _ = try space.load(at: start, as: UInt8.self) }
      try space.store(UInt8(1), at: 0x11000)
      watched.calls.withLock { $0 = [] }
      let child = try space.fork()
      #expect(watched.calls.withLock { $0 } == [])
      // The library has added the child to the list.
      #expect(watched.spaces.all.contains { $0 === child })
      #expect(child.entry(at: 0x10000).kind == .special)
      #expect(!watched.spaces.unmap(page: 0, of: watched), "a pfn mapping cannot be emptied")
      for each in [space, child] { try each.unmap(at: 0x20000, pages: 4) }
      #expect(watched.spaces.unmap(page: 0, of: watched))
      #expect(child.entry(at: 0x10000).kind == .none && space.entry(at: 0x10000).kind == .none)
      #expect(watched.spaces.haveWritableMapping(of: watched))
      child.exit()
      space.exit()
    }
  }

  /// 1. a fault asks its backing
  /// 2. the backing's mapping goes, and with it every other reference to the backing
  /// 3. the fault ends and lets go of the backing
  /// 4. the backing's end changes the very space
  @Test(arguments: Engines.all, [true, false])
  func aBackingEndsUnderNoLockOfTheFault(engine: PinEngine, byPin: Bool) throws {
    try withMachine(frames: 16) { machine in
      let space = AddressSpace(machine.memory, engine: engine)
      let ends = Locked<[String]>([])
      let answers: [@Sendable () -> FaultAnswer] = [
        { .busError }, { .frameNumber(machine.memory.zeroPage, writable: false) },
      ]
      for answer in answers {
        // The mapping's reference to the backing is the only one that stays.
        do {
          let backing = Parting {
            if (try? space.unmap(at: 0x9000, pages: 1)) == nil { ends.withLock { $0.append("not unmapped") } }
            machine.memory.flushDeferredFrees()
            return answer()
          } onEnd: {
            // On a thread of its own, so that a lock that is held is a failure and not a hang.
            let mapped = DispatchSemaphore(value: 0)
            // Weak, so that the thread's end is not the space's.
            let map: @Sendable () -> Bool = { [weak space] in
              (try? space?.map(at: 0x5000, pages: 1, protection: .read)) != nil
            }
            Thread.detachNewThread { if map() { mapped.signal() } }
            let isMapped = mapped.wait(timeout: .now() + 20) == .success
            ends.withLock { $0.append(isMapped ? "mapped" : "the space was locked") }
          }
          try space.map(at: 0x9000, pages: 1, protection: .read, sharing: .shared, backing: .mixed(backing))
        }
        if byPin {
          #expect(throws: PageError.badAddress) { try space.pin(at: 0x9000).release() }
        } else {
          #expect(throws: PageError.segmentationViolation) { try space.load(at: 0x9000, as: UInt8.self) }
        }
      }
      #expect(ends.withLock { $0 } == ["mapped", "mapped"])
      space.exit()
    }
  }

  /// 1. a fault asks its backing
  /// 2. another backing's mapping takes the place of the first, and with it every other reference to the first one goes
  /// 3. the fault attempts again, and has another question
  @Test(arguments: Engines.all, [false, true])
  func aBackingEndsOutsideOfTheAttemptThatAsksAnother(engine: PinEngine, inACall: Bool) throws {
    try withMachine(frames: 16) { machine in
      let (memory, space) = (machine.memory, AddressSpace(machine.memory, engine: engine))
      let ends = Ends()
      let second = Scripted { _, _ in .frameNumber(memory.zeroPage, writable: false) }
      let map: @Sendable (any Backing) throws -> Void = { [unowned space] backing in
        try space.map(at: 0x9000, pages: 1, protection: .read, sharing: .shared, backing: .mixed(backing))
      }
      try map(
        Parting {
          // By another thread: what a thread in a call leaves ready stays until the call is over.
          let mapped = DispatchSemaphore(value: 0)
          Thread.detachNewThread {
            do { try map(second) } catch { Issue.record(error) }
            memory.flushDeferredFrees()
            mapped.signal()
          }
          mapped.wait()
          return .retry
        } onEnd: {
          ends.add()
        })
      func load() throws { #expect(try space.load(at: 0x9000, as: UInt8.self) == 0) }
      if inACall {
        try ReclaimScope.withoutReclaim {
          try load()
          #expect(ends.seen == [])
        }
        memory.flushDeferredFrees()
      } else {
        try load()
      }
      #expect(ends.seen == ["free"])
      space.exit()
    }
  }

  @Test(arguments: Engines.all)
  func aBackingNamesNoProgramsMemory(engine: PinEngine) throws {
    try withMachine(frames: 16) { machine in
      let victim = AddressSpace(machine.memory, engine: engine)
      try victim.map(at: 0x5000, pages: 1, protection: .readWrite)
      try victim.store(UInt8(7), at: 0x5000)
      let pin = try victim.pin(at: 0x5000)
      let pfn = pin.pfn
      let space = AddressSpace(machine.memory, engine: engine)
      machine.memory.onBackingDiagnostic { _ in }
      for kind in [MappingKind.mixed, MappingKind.file] {
        for sharing in [Sharing.shared, .private] {
          let backing = Scripted { _, _ in .frameNumber(pfn, writable: true) }
          try space.map(at: 0x9000, pages: 16, protection: .readWrite, sharing: sharing, backing: kind(backing))
          #expect(throws: PageError.busError) { try space.load(at: 0x9000, as: UInt8.self) }
          #expect(throws: PageError.busError) { try space.store(UInt8(1), at: 0x9000) }
          #expect(throws: PageError.badAddress) { try space.pin(at: 0x9000).release() }
          #expect(throws: PageError.badAddress) { try space.pin(at: 0x9000, [.write, .longTerm]).release() }
        }
      }
      #expect(try victim.load(at: 0x5000, as: UInt8.self) == 7)
      #expect(machine.memory.frameInformation(of: pfn)?.mapCount == 1)
      pin.release()
      space.exit()
      victim.exit()
    }
  }
}
