import TestSupport
import Testing

@testable import UserPages

/// Numbers of free frames, in mappings that count no references: refused, and no entry is left.
@Suite struct FreeFrameNumberTests {
  /// Shows the frames from `firstFrame` on by number, 2 MiB at once if it is asked so.
  private final class Numbers: Backing {
    let pageCount = 512
    let firstFrame: PFN?

    init(from first: PFN) { firstFrame = first }

    func fault(page: Int, write: Bool) -> FaultAnswer { .frameNumber(firstFrame! + page, writable: true) }
    func hugeFault(page: Int, write: Bool) -> FaultAnswer? { .frameNumber(firstFrame! + page, writable: true) }
  }

  private func reasons(of memory: PhysicalMemory) -> Locked<[BackingDiagnostic.Reason]> {
    let reasons = Locked<[BackingDiagnostic.Reason]>([])
    memory.onBackingDiagnostic { diagnostic in reasons.withLock { $0.append(diagnostic.reason) } }
    return reasons
  }

  @Test(arguments: Engines.all, [Sharing.shared, .private])
  func aFreePage(engine: PinEngine, sharing: Sharing) throws {
    try withHugePages(engine: engine) { machine, space in
      let reasons = reasons(of: machine.memory)
      let used = try machine.memory.allocate()
      let backing = Numbers(from: used.pfn)
      try space.map(at: hugeBase, pages: 2, protection: .readWrite, sharing: sharing, backing: .pfn(backing))
      // The frame after the one that is in use was never given out.
      #expect(throws: PageError.busError) { try space.load(at: hugeBase.page(1), as: UInt8.self) }
      #expect(throws: PageError.busError) { try space.store(UInt8(1), at: hugeBase.page(1)) }
      #expect(reasons.withLock { $0 } == [.frameNotShared, .frameNotShared])
      #expect(space.says(hugeBase.page(1)) == "none")
      // In use it may be shown, and a store reaches it unless the mapping is private.
      try space.store(UInt8(7), at: hugeBase)
      #expect(used.deviceBytes().load(as: UInt8.self) == (sharing == .shared ? 7 : 0))
      #expect(reasons.withLock { $0.count } == 2)
    }
  }

  @Test(arguments: Engines.all, [Sharing.shared, .private])
  func twoMiB(engine: PinEngine, sharing: Sharing) throws {
    try withHugePages(engine: engine) { machine, space in
      let reasons = reasons(of: machine.memory)
      let used = try machine.memory.allocateHuge()
      let first = used.pfn
      let backing = Numbers(from: first)
      func map() throws {
        try space.map(
          at: hugeBase, pages: 512, protection: .readWrite, sharing: sharing, backing: .pfn(backing), hugePages: true)
      }
      try map()
      _ = try space.load(at: hugeBase.page(511), as: UInt8.self)
      #expect(space.says(hugeBase) == (sharing == .shared ? "special rw" : "special r"))
      try space.unmap(at: hugeBase, pages: 512)
      used.put()
      machine.memory.flushDeferredFrees()
      try map()
      #expect(throws: PageError.busError) { try space.load(at: hugeBase.page(511), as: UInt8.self) }
      #expect(reasons.withLock { $0 } == [.frameNotShared])
      #expect(space.says(hugeBase) == "none")
    }
  }

  /// Of 512 frames in a row the last alone is free.
  @Test func onePageOf2MiB() throws {
    try withHugePages { machine, space in
      let reasons = reasons(of: machine.memory)
      var kept: [UInt64: FrameHolder] = [:]
      // Blocks are broken from their lowest numbers on, so 512 in a row come up.
      for _ in 0..<1100 {
        let frame = try machine.memory.allocate()
        kept[frame.pfn.rawValue] = FrameHolder(frame)
      }
      let first = try #require(
        kept.keys.first { number in
          number % 512 == 0 && (0..<512).allSatisfy { kept[number + $0] != nil }
        })
      kept[first + 511] = nil
      try space.map(
        at: hugeBase, pages: 512, protection: .readWrite, sharing: .shared, backing: .pfn(Numbers(from: PFN(first))),
        hugePages: true)
      #expect(throws: PageError.busError) { try space.load(at: hugeBase, as: UInt8.self) }
      #expect(reasons.withLock { $0 } == [.frameNotShared])
    }
  }

  private final class FrameHolder {
    let frame: FrameReference
    init(_ frame: consuming FrameReference) { self.frame = frame }
  }

  @Test func insertions() throws {
    try withHugePages { machine, space in
      let none = try PageCacheFile(machine.memory, pages: 0)
      try space.map(
        at: hugeBase, pages: 1024, protection: .readWrite, sharing: .shared, backing: .pfn(none), hugePages: true)
      let used = try machine.memory.allocate()
      let free = used.pfn + 1
      #expect(throws: PageError.invalidArgument) { try space.insertPFN(free, at: hugeBase) }
      #expect(throws: PageError.invalidArgument) {
        try space.insertHugePFN(used.pfn.hugeStart, at: hugeBase.page(512))
      }
      #expect(space.says(hugeBase) == "none")
      try space.insertPFN(used.pfn, at: hugeBase, writable: true)
      try space.store(UInt8(3), at: hugeBase)
      #expect(used.deviceBytes().load(as: UInt8.self) == 3)
    }
  }
}
