import Synchronization
import TestSupport
import Testing

@testable import UserPages

/// A backing that owns frames: it shows them at even pages, and bare numbers of an image at odd ones.
private final class FramesAndNumbers: Backing {
  let pageCount: Int
  let image: Image
  private let memory: PhysicalMemory
  private let frames = Locked<[Int: OwnedFrame]>([:])

  private final class OwnedFrame: Sendable {
    let reference: FrameReference
    init(_ reference: consuming FrameReference) { self.reference = reference }
  }

  init(_ memory: PhysicalMemory, pages: Int) throws {
    self.memory = memory
    pageCount = pages
    image = try Image(memory, pages: pages) { UInt8($0) }
  }

  func fault(page: Int, write: Bool) -> FaultAnswer {
    if page % 2 == 1 {
      return write ? .busError : .frameNumber(image.firstPFN + page, writable: false)
    }
    do throws(PageError) { return .frame(try frame(of: page).reference.retain()) } catch {
      return .outOfMemory
    }
  }

  /// Its own frame of a page, filled with the page's number when it is made.
  private func frame(of page: Int) throws(PageError) -> OwnedFrame {
    if let known = frames.withLock({ $0[page] }) { return known }
    let new = OwnedFrame(try memory.allocate())
    new.reference.deviceBytes().fill(UInt8(page))
    return frames.withLock { frames in
      if let known = frames[page] { return known }
      frames[page] = new
      return new
    }
  }

  func pfn(ofPage page: Int) -> PFN? { frames.withLock { $0[page]?.reference.pfn } }
}

/// Answers of backings: frames that they own, and mistakes.
@Suite(.timeLimit(.minutes(2)))
struct BackingAnswerTests {
  private func withMachine(frames: Int = 64, _ body: (Machine) throws -> Void) throws {
    let machine = try Machine(frames: frames)
    try body(machine)
    #expect(machine.leaks() == [])
  }

  @Test(arguments: Engines.all, [Sharing.shared, .private])
  func ownFramesBesideBareNumbers(engine: PinEngine, sharing: Sharing) throws {
    try withMachine { machine in
      let space = AddressSpace(machine.memory, engine: engine)
      do {
        let backing = try FramesAndNumbers(machine.memory, pages: 8)
        try space.map(
          at: 0x10000, pages: 8, protection: .readWrite, sharing: sharing, backing: .mixed(backing))
        for page in 0..<8 {
          let address = VirtualAddress(0x10000) + page * Page.size
          #expect(try space.load(at: address, as: UInt8.self) == UInt8(page))
          #expect(
            space.entry(at: address).description.hasPrefix(page % 2 == 0 ? "normal" : "special"))
        }
        let pfn = try #require(backing.pfn(ofPage: 2))
        // The backing's reference and the entry's.
        #expect(machine.memory.frameInformation(of: pfn)?.referenceCount == 2)
        #expect(machine.memory.frameInformation(of: pfn)?.mapCount == 1)
        try space.pin(at: 0x12000, .get).release()
        #expect(throws: PageError.badAddress) { try space.pin(at: 0x13000, .get).release() }
        try space.store(UInt8(99), at: 0x12000)
        let seen = machine.memory.frames.bytes(of: pfn).load(as: UInt8.self)
        #expect(seen == (sharing == .shared ? 99 : 2))
        if sharing == .private { try space.store(UInt8(98), at: 0x13000) }
        machine.memory.flushDeferredFrees()
        // A private copy took the entry's place.
        #expect(
          machine.memory.frameInformation(of: pfn)?.referenceCount == (sharing == .shared ? 2 : 1))
        try space.unmap(at: 0x10000, pages: 8)
        machine.memory.flushDeferredFrees()
        #expect(machine.memory.frameInformation(of: pfn)?.referenceCount == 1)
      }
      space.exit()
    }
  }

  @Test(arguments: Engines.all)
  func aFirstStoreToAPrivateMappingGivesTheFrameBack(engine: PinEngine) throws {
    try withMachine { machine in
      let space = AddressSpace(machine.memory, engine: engine)
      let backing = try FramesAndNumbers(machine.memory, pages: 2)
      try space.map(at: 0x10000, pages: 2, protection: .readWrite, backing: .mixed(backing))
      try space.store(UInt8(7), at: 0x10000)
      let pfn = try #require(backing.pfn(ofPage: 0))
      #expect(machine.memory.frameInformation(of: pfn)?.referenceCount == 1)
      #expect(machine.memory.frameInformation(of: pfn)?.mapCount == 0)
      space.exit()
    }
  }

  @Test(arguments: Engines.all)
  func pagesOfAHugeFrame(engine: PinEngine) throws {
    try withMachine(frames: 1024) { machine in
      let space = AddressSpace(machine.memory, engine: engine)
      do {
        final class Whole: Backing {
          let frame: FrameReference
          let isWhole: Bool
          init(_ frame: consuming FrameReference, isWhole: Bool) {
            self.frame = frame
            self.isWhole = isWhole
          }
          let pageCount = 512
          func fault(page: Int, write: Bool) -> FaultAnswer {
            do throws(PageError) { return .frame(try frame.retain(), page: page) } catch {
              return .outOfMemory
            }
          }
          func hugeFault(page: Int, write: Bool) -> FaultAnswer? {
            if !isWhole { return nil }
            do throws(PageError) { return .frame(try frame.retain()) } catch { return nil }
          }
        }
        let frame = try machine.memory.allocateHuge()
        let first = frame.pfn
        frame.deviceBytes(ofPage: 7).fill(7)
        let parts = Whole(try frame.retain(), isWhole: false)
        let whole = Whole(frame, isWhole: true)
        try space.map(
          at: 0x4000_0000, pages: 512, protection: .readWrite, sharing: .shared,
          backing: .file(parts), hugePages: true)
        try space.map(
          at: 0x4020_0000, pages: 512, protection: .readWrite, sharing: .shared,
          backing: .file(whole), hugePages: true)
        #expect(try space.load(at: 0x4000_7000, as: UInt8.self) == 7)
        #expect(try space.load(at: 0x4020_7000, as: UInt8.self) == 7)
        let pin = try space.pin(at: 0x4000_7000, .get)
        let pinned = pin.pfn
        pin.release()
        #expect(pinned == first + 7)
        #expect(machine.memory.frames.frame(first).hugeMapCount == 1)
        #expect(machine.memory.frames.frame(first + 7).mapCount == 1)
        #expect(machine.memory.frameInformation(of: first)?.referenceCount == 4)
      }
      space.exit()
    }
  }

  /// A wrong answer, and the mapping in which it is one.
  struct Mistake: Sendable, CustomTestStringConvertible {
    let reason: BackingDiagnostic.Reason
    let kind: Kind
    var sharing = Sharing.shared
    let answer: @Sendable (Machine, Machine) throws(PageError) -> FaultAnswer

    enum Kind { case file, mixed, pfn }

    var testDescription: String { "\(reason) in a \(kind) mapping, \(sharing)" }

    func mapping(_ backing: any Backing) -> MappingKind {
      switch kind {
      case .file: .file(backing)
      case .mixed: .mixed(backing)
      case .pfn: .pfn(backing, isIO: false)
      }
    }

    static let all = [
      Mistake(reason: .frameOfAnotherMachine, kind: .file) { _, other throws(PageError) in
        .frame(try other.memory.allocate())
      },
      Mistake(reason: .frameOfAnotherMachine, kind: .mixed, sharing: .private) {
        _, other throws(PageError) in
        .frame(try other.memory.allocate())
      },
      Mistake(reason: .noSuchPageOfFrame, kind: .file) { machine, _ throws(PageError) in
        .frame(try machine.memory.allocate(), page: 1)
      },
      Mistake(reason: .noSuchPageOfFrame, kind: .mixed) { machine, _ throws(PageError) in
        .frame(try machine.memory.allocate(), page: -1)
      },
      Mistake(reason: .frameInPFNMapping, kind: .pfn) { machine, _ throws(PageError) in
        .frame(try machine.memory.allocate())
      },
      Mistake(reason: .noSuchFrame, kind: .mixed) { _, _ in .frameNumber(PFN(0), writable: true) },
      Mistake(reason: .noSuchFrame, kind: .pfn) { _, _ in .frameNumber(PFN(.max), writable: true) },
      Mistake(reason: .frameNotShared, kind: .mixed) { machine, _ throws(PageError) in
        .frameNumber(try freeFrame(of: machine), writable: true)
      },
      Mistake(reason: .frameNotShared, kind: .file, sharing: .private) {
        machine, _ throws(PageError) in
        .frameNumber(try freeFrame(of: machine), writable: true)
      },
      Mistake(reason: .frameNotShared, kind: .pfn) { machine, _ throws(PageError) in
        .frameNumber(try freeFrame(of: machine), writable: true)
      },
      Mistake(reason: .frameOutOfOrder, kind: .pfn, sharing: .private) {
        machine, _ throws(PageError) in
        .frameNumber(try freeFrame(of: machine), writable: true)
      },
    ]

    private static func freeFrame(of machine: Machine) throws(PageError) -> PFN {
      let frame = try machine.memory.allocate()
      return frame.pfn
    }
  }

  @Test(arguments: Engines.all, Mistake.all)
  func aMistakeIsABusErrorAndADiagnostic(engine: PinEngine, mistake: Mistake) throws {
    let other = try Machine(frames: 8)
    try withMachine { machine in
      let space = AddressSpace(machine.memory, engine: engine)
      let backing = Scripted { _, _ in (try? mistake.answer(machine, other)) ?? .outOfMemory }
      let found = Locked<[BackingDiagnostic]>([])
      machine.memory.onBackingDiagnostic { diagnostic in
        let isFree = !RCU.isReading
        found.withLock { if isFree { $0.append(diagnostic) } }
      }
      try space.map(
        at: 0x10000, pages: 8, protection: .readWrite, sharing: mistake.sharing,
        backing: mistake.mapping(backing))
      #expect(throws: PageError.busError) { try space.load(at: 0x13000, as: UInt8.self) }
      #expect(throws: PageError.busError) { try space.store(UInt8(1), at: 0x14000) }
      let diagnostics = found.withLock { $0 }
      #expect(diagnostics.map(\.reason) == [mistake.reason, mistake.reason])
      #expect(diagnostics.map(\.page) == [3, 4])
      #expect(diagnostics.allSatisfy { $0.backing === backing })
      #expect(diagnostics.first?.description.contains("Scripted") == true)
      machine.memory.onBackingDiagnostic(nil)
      found.withLock { $0 = [] }
      space.exit()
    }
    #expect(other.leaks() == [])
  }
}
