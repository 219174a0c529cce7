import TestSupport
import Testing

@testable import UserPages

/// Frames that code beside mappings owns.
@Suite struct FrameReferenceTests {
  @Test func theLastReferenceFreesTheFrame() throws {
    let memory = try PhysicalMemory(ramPages: 4)
    let first = try memory.allocate()
    #expect(first.pageCount == 1)
    let zero = first.deviceBytes().load(as: UInt64.self)
    #expect(zero == 0)
    first.deviceBytes().store(UInt64(5), toByteOffset: 8)
    let second = try first.retain()
    #expect(second.pfn == first.pfn)
    #expect(memory.frameInformation(of: first.pfn)?.referenceCount == 2)
    first.put()
    #expect(memory.freePages == 3)
    let five = second.deviceBytes().load(fromByteOffset: 8, as: UInt64.self)
    #expect(five == 5)
    second.put()
    #expect(memory.freePages == 4)
    // What is given out again shows nothing of its past.
    for _ in 0..<8 {
      let next = try memory.allocate()
      let word = next.deviceBytes().load(fromByteOffset: 8, as: UInt64.self)
      #expect(word == 0)
    }
    #expect(memory.census().isClean)
  }

  @Test func exhaustion() throws {
    let memory = try PhysicalMemory(ramPages: 2)
    do {
      let (first, second) = (Box(try memory.allocate()), Box(try memory.allocate()))
      #expect(throws: PageError.outOfMemory) { try memory.allocate().put() }
      #expect(first.reference.pfn != second.reference.pfn)
    }
    #expect(memory.freePages == 2)
  }

  private final class Box {
    let reference: FrameReference
    init(_ reference: consuming FrameReference) { self.reference = reference }
  }

  @Test func twoMebibytes() throws {
    let machine = try Machine(frames: 1024)
    do {
      let huge = try machine.memory.allocateHuge()
      #expect(huge.pageCount == 512 && huge.pfn.isHugeAligned)
      for page in [0, 1, 511] {
        #expect(huge.deviceBytes(ofPage: page).load(as: UInt64.self) == 0)
        huge.deviceBytes(ofPage: page).store(UInt64(page))
      }
      #expect(machine.memory.freePages == 512)
      let other = try huge.retain()
      huge.put()
      #expect(other.deviceBytes(ofPage: 511).load(as: UInt64.self) == 511)
      #expect(machine.memory.freePages == 512)
      let last = try machine.memory.allocateHuge()
      #expect(throws: PageError.outOfMemory) { try machine.memory.allocateHuge().put() }
      last.put()
    }
    #expect(machine.leaks() == [])
  }

  /// A frame that is owned here and mapped there: each reference counts.
  @Test func ownedAndMapped() throws {
    let machine = try Machine(frames: 16)
    do {
      let frame = try machine.memory.allocate()
      frame.deviceBytes().store(UInt64(1))
      let space = AddressSpace(machine.memory)
      let device = try DeviceRange(machine.memory, pages: 1)
      try space.map(at: 0x10000, pages: 1, protection: .readWrite, sharing: .shared, backing: .mixed(device))
      try space.insertPage(frame.pfn, at: 0x10000)
      #expect(try space.load(at: 0x10000, as: UInt64.self) == 1)
      try space.store(UInt64(2), at: 0x10000)
      #expect(frame.deviceBytes().load(as: UInt64.self) == 2)
      frame.put()
      #expect(try space.load(at: 0x10000, as: UInt64.self) == 2, "the entry has the frame now")
      space.exit()
    }
    #expect(machine.leaks() == [])
  }

  @Test func aReferenceThatOutlivesTheMachine() async throws {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      func allocate() throws -> FrameReference { try PhysicalMemory(ramPages: 4).allocate() }
      let reference = try allocate()
      _ = reference.deviceBytes().load(as: UInt8.self)
    }
    let output = String(decoding: try #require(result).standardErrorContent, as: UTF8.self)
    #expect(output.contains("torn down with gets outstanding: pfn"), "\(output)")
  }

  @Test func tooManyReferences() throws {
    let memory = try PhysicalMemory(ramPages: 4)
    let first = try memory.allocate()
    let counts = memory.frames.frame(first.pfn).descriptor
    counts.pointee.counts.wrappingAdd(Frame.limit, ordering: .relaxed)
    do {
      try first.retain().put()
      Issue.record("a reference too many was added")
    } catch { #expect(error == .outOfMemory) }
    counts.pointee.counts.wrappingSubtract(Frame.limit, ordering: .relaxed)
    #expect(memory.frameInformation(of: first.pfn)?.referenceCount == 1)
  }
}
