import Glibc

/// What a machine has in use: all zero when everything was given back.
public struct Census: Equatable, Sendable, CustomStringConvertible {
  /// Frames of RAM that are not free.
  public var framesInUse: Int
  /// Page-table nodes.
  public var tableNodes: Int
  /// Page-table entries that map a frame with a descriptor.
  public var mapcounts: Int
  /// Pins (FOLL_PIN).
  public var pins: Int
  /// References: of mappings, the page cache, gets and pins.
  public var references: Int
  /// Slots of the swap file.
  public var swapSlots = 0

  /// Whether nothing is in use.
  public var isClean: Bool { self == Census(framesInUse: 0, tableNodes: 0, mapcounts: 0, pins: 0, references: 0) }

  /// All numbers in one line, for a failed test.
  public var description: String {
    "\(framesInUse) frames, \(tableNodes) table nodes, \(mapcounts) mapcounts, \(pins) pins, \(references) references, "
      + "\(swapSlots) swap slots"
  }
}

/// What a descriptor says of its frame.
public struct FrameInformation: Equatable, Sendable {
  /// Page-table entries that map it, those that map it as a part of 2 MiB among them.
  public var mapCount: Int
  /// Pins (FOLL_PIN) on it, or on any part of the 2 MiB frame that it is a part of: those are counted together.
  public var pinCount: Int
  /// References of all kinds, counted as pins are. What a pin slot holds has none.
  public var referenceCount: Int
  /// Whether it is private memory rather than a file's.
  public var isAnonymous: Bool
  /// Whether it was written to since it was last clean.
  public var isDirty: Bool
  /// Whether it is anonymous memory that no other space maps now (PageAnonExclusive).
  ///
  /// Only ``AddressSpace/frameInformation(at:)`` says so. ``PhysicalMemory/frameInformation(of:)`` leaves it false.
  public var isExclusive = false
}

extension PhysicalMemory {
  /// Bytes of RAM that the machine has from the kernel now: of frames that were used since it began, free or not
  /// (`st_blocks`).
  public var residentBytes: Int {
    var status = stat()
    return fstat(arena, &status) == 0 ? Int(status.st_blocks) * 512 : 0
  }

  /// Pages that page-outs and reclaim have left to the swap file's writer, since the machine was made.
  package var pagesLeftToSwap: Int { swap.queuedCount }

  /// The last frame of RAM. What follows its bytes in this process is not readable.
  package var lastRAMFrame: PFN { allocator.first + (ramPages - 1) }

  /// Counts what is in use. Any thread, at any time. The result is exact if nothing else runs and deferred frees were
  /// flushed.
  ///
  /// - Complexity: O(frames that were ever in use).
  public func census() -> Census {
    var census = Census(
      framesInUse: ramPages - allocator.freeCount, tableNodes: tablePages.inUse, mapcounts: 0, pins: 0, references: 0)
    census.pins = PinSlot.count(of: frames)
    census.swapSlots = swap.usedCount
    forEachUsedFrame { _, frame in
      census.mapcounts += frame.mapCount + frame.hugeMapCount
      census.pins += frame.pins
      census.references += frame.heldReferences
    }
    return census
  }

  /// What is known of a frame, or nil if it has no descriptor. Any thread, any number, at any time: a device may end
  /// meanwhile.
  public func frameInformation(of pfn: PFN) -> FrameInformation? {
    // ORDERING [section-end]: the number is looked up and the descriptors are read in one section.
    let found = RCU.read { () -> (folio: Frame, FrameInformation)? in
      guard frames.isValid(pfn) else { return nil }
      YieldPoint.informationBetweenNumberAndDescriptor.reach()
      let frame = frames.frame(pfn)
      let folio = frames.folio(of: pfn)
      let information = FrameInformation(
        mapCount: frame.mapCount + folio.hugeMapCount, pinCount: folio.pins,
        referenceCount: folio.references, isAnonymous: frame.has(Frame.anonymousBit),
        isDirty: frame.has(Frame.dirtyBit) || folio.has(Frame.dirtyBit))
      return (folio, information)
    }
    guard let folio = found?.folio, var information = found?.1 else { return nil }
    // After the section: lists may be long. The frame is compared, not read.
    information.pinCount += PinSlot.pins(of: folio, in: frames)
    return information
  }

  /// Names the first frames that are still held at the machine's end, with their counts. Empty if none is.
  ///
  /// - Parameter waiting: references that only wait to be given up. They hold nothing.
  func heldFrames(besides waiting: [PFN: Int] = [:]) -> String {
    let slots = PinSlotSnapshot(of: frames)
    var held: [String] = []
    var more = 0
    forEachUsedFrame { pfn, frame in
      let (references, pins) = (frame.heldReferences - waiting[pfn, default: 0], frame.pins)
      let inSlots = slots.holds(frame)
      guard references > 0 || pins > 0 || inSlots else { return }
      if held.count == 4 {
        more += 1
      } else {
        held.append("\(pfn) (references \(references), pins \(pins)\(inSlots ? ", and in a slot" : ""))")
      }
    }
    return held.joined(separator: ", ") + (more > 0 ? " and \(more) more" : "")
  }

  /// Calls `body` for each frame with a descriptor that may have been in use, inside a read-side section for each 2
  /// MiB.
  private func forEachUsedFrame(_ body: (PFN, Frame) -> Void) {
    let used = allocator.usedSinceBirth
    for section in sections.described {
      guard section.first == allocator.first else {
        forEachFrame(section.first..<section.first + section.pages, body)
        continue
      }
      // Of RAM, what was never used is left out: its descriptors take no memory until they are touched.
      for range in used { forEachFrame(range, body) }
    }
  }

  private func forEachFrame(_ range: Range<PFN>, _ body: (PFN, Frame) -> Void) {
    var start = range.lowerBound
    while start < range.upperBound {
      let end = min(start + Page.pagesPerHuge, range.upperBound)
      // ORDERING [section-end]: as for one frame.
      RCU.read {
        guard frames.isValid(start) else { return }
        YieldPoint.informationBetweenNumberAndDescriptor.reach()
        var pfn = start
        while pfn < end {
          body(pfn, frames.frame(pfn))
          pfn = pfn + 1
        }
      }
      start = end
    }
  }
}

extension Frame {
  /// References but for the one that a section's owner has on a frame which is not the allocator's.
  fileprivate var heldReferences: Int { references - (has(Frame.reservedBit) ? 1 : 0) }
}

extension DeferredQueue.Handle {
  /// How many references of each frame wait to be given up. Exact when no other thread uses the queue.
  func waitingReferences() -> [PFN: Int] {
    var waiting: [PFN: Int] = [:]
    for word in waitingWords() { if let pfn = word.framePFN { waiting[pfn, default: 0] += 1 } }
    return waiting
  }
}
