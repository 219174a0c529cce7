import Synchronization
import TestSupport
import Testing

@testable import UserPages

/// Backings without end: questions that are never answered, answers that never hold, pins that would last.
@Suite(.timeLimit(.minutes(2)))
struct BackingLimitTests {
  private func withMachine(frames: Int = 64, _ body: (Machine) throws -> Void) throws {
    let machine = try Machine(frames: frames)
    try body(machine)
    #expect(machine.leaks() == [])
  }

  @Test func anEndlessRetryEnds() throws {
    try withMachine { machine in
      let space = AddressSpace(machine.memory)
      final class Undecided: Backing {
        let pageCount = 2
        let asked = Atomic<Int>(0)
        func fault(page: Int, write: Bool) -> FaultAnswer {
          let count = asked.wrappingAdd(1, ordering: .relaxed).newValue
          return page == 1 && count % 1000 == 0 ? .busError : .retry
        }
      }
      let backing = Undecided()
      let reasons = Locked<[BackingDiagnostic.Reason]>([])
      machine.memory.onBackingDiagnostic { diagnostic in
        reasons.withLock { $0.append(diagnostic.reason) }
      }
      try space.map(
        at: 0x10000, pages: 2, protection: .read, sharing: .shared, backing: .mixed(backing))
      #expect(throws: PageError.busError) { try space.load(at: 0x11000, as: UInt8.self) }
      #expect(reasons.withLock { $0 } == [], "it answered in time")
      #expect(throws: PageError.busError) { try space.load(at: 0x10000, as: UInt8.self) }
      #expect(reasons.withLock { $0 } == [.endlessRetry])
      #expect(backing.asked.load(ordering: .relaxed) == 1000 + 2049)
      space.exit()
    }
  }

  /// A backing that moves its pages whenever it is asked: no answer holds until the fault looks at it.
  @Test(arguments: Engines.all)
  func answersThatNeverHoldEnd(engine: PinEngine) throws {
    try withMachine { machine in
      final class Restless: Backing {
        let pageCount = 2
        let moves = InvalidationSequence()
        let asked = Atomic<Int>(0)
        let first: PFN
        /// After so many questions it rests.
        let patience = 100

        init(first: PFN) { self.first = first }

        var sequence: InvalidationSequence? { moves }

        func fault(page: Int, write: Bool) -> FaultAnswer {
          let count = asked.wrappingAdd(1, ordering: .relaxed).newValue
          if page == 0 || count < patience { moves.advance() }
          return .frameNumber(first, writable: false)
        }
      }
      let space = AddressSpace(machine.memory, engine: engine)
      let image = try Image(machine.memory, pages: 2) { UInt8($0) }
      let backing = Restless(first: image.firstPFN)
      let reasons = Locked<[BackingDiagnostic.Reason]>([])
      machine.memory.onBackingDiagnostic { diagnostic in reasons.withLock { $0.append(diagnostic.reason) } }
      try space.map(at: 0x10000, pages: 2, protection: .read, sharing: .shared, backing: .pfn(backing))
      _ = try space.load(at: 0x11000, as: UInt8.self)
      #expect(backing.asked.load(ordering: .relaxed) == backing.patience)
      #expect(throws: PageError.busError) { try space.load(at: 0x10000, as: UInt8.self) }
      #expect(reasons.withLock { $0 } == [.endlessRetry])
      #expect(backing.asked.load(ordering: .relaxed) == backing.patience + 2049)
      space.exit()
    }
  }

  /// `willStore` says `retry` for ever.
  @Test(arguments: Engines.all)
  func anEndlessRetryOfAStoreEnds(engine: PinEngine) throws {
    try withMachine { machine in
      final class Hesitant: Backing {
        let pageCount = 1
        let writesBack = true
        let frame: FrameReference
        let asked = Atomic<Int>(0)

        init(_ frame: consuming FrameReference) { self.frame = frame }

        func fault(page: Int, write: Bool) -> FaultAnswer {
          do throws(PageError) { return .frame(try frame.retain()) } catch { return .outOfMemory }
        }

        func willStore(page: Int) -> StoreAnswer {
          asked.add(1, ordering: .relaxed)
          return .retry
        }
      }
      let space = AddressSpace(machine.memory, engine: engine)
      let backing = Hesitant(try machine.memory.allocate())
      let reasons = Locked<[BackingDiagnostic.Reason]>([])
      machine.memory.onBackingDiagnostic { diagnostic in reasons.withLock { $0.append(diagnostic.reason) } }
      try space.map(at: 0x10000, pages: 1, protection: .readWrite, sharing: .shared, backing: .file(backing))
      _ = try space.load(at: 0x10000, as: UInt8.self)
      #expect(throws: PageError.busError) { try space.store(UInt8(1), at: 0x10000) }
      #expect(reasons.withLock { $0 } == [.endlessRetry])
      #expect(backing.asked.load(ordering: .relaxed) == 2049)
      space.exit()
      machine.memory.onBackingDiagnostic(nil)
    }
  }

  /// The fast path of a pin sees a frame and no mapping.
  @Test(arguments: Engines.all)
  func longTermPinsOfABackingThatWritesBack(engine: PinEngine) throws {
    try withMachine { machine in
      final class Written: Backing {
        let pageCount = 1
        let writesBack: Bool
        let frame: FrameReference

        init(_ frame: consuming FrameReference, writesBack: Bool) {
          self.frame = frame
          self.writesBack = writesBack
        }

        func fault(page: Int, write: Bool) -> FaultAnswer {
          do throws(PageError) { return .frame(try frame.retain()) } catch { return .outOfMemory }
        }

        func willStore(page: Int) -> StoreAnswer { .allow }
      }
      for writesBack in [true, false] {
        let space = AddressSpace(machine.memory, engine: engine)
        let backing = Written(try machine.memory.allocate(), writesBack: writesBack)
        try space.map(at: 0x10000, pages: 1, protection: .readWrite, sharing: .shared, backing: .file(backing))
        try space.store(UInt8(1), at: 0x10000)
        if writesBack {
          #expect(throws: PageError.badAddress) { try space.pin(at: 0x10000, [.write, .longTerm]).release() }
          #expect(throws: PageError.badAddress) { try space.pin(at: 0x10000, pages: 1, [.write, .longTerm]).release() }
        } else {
          try space.pin(at: 0x10000, [.write, .longTerm]).release()
        }
        try space.pin(at: 0x10000, .write).release()
        space.exit()
      }
    }
  }
}
