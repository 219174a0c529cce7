/// What of a machine waits for a grace period, and how a batch of it is freed: references of frames, nodes of tables,
/// sections.
enum DeferredFrames {
  /// Frees a batch after its grace period.
  ///
  /// ORDERING [slot-then-leave]: a thread that pinned one of these frames by a slot read the entry inside a section.
  /// The section began before the grace period, and the thread stored the slot before the section ended. So the slots
  /// are looked at now, not earlier. A frame found there keeps the reference and is held back. No new slot can appear:
  /// no entry leads there. So the next look needs no grace period. If no pin by a slot came by the references of the
  /// batch, the slots are not looked at.
  static func free(
    _ words: Span<DeferredWord>, frames: FrameTable, sections: SectionMap, allocator: FrameAllocator,
    tablePages: ZeroedPagePool
  ) -> [DeferredWord] {
    var slots: PinSlotSnapshot?
    var kept: [DeferredWord] = []
    var freed = FrameBatch()
    var endedSections: [PFN] = []
    for index in words.indices {
      let word = words[index]
      switch word.tag {
      case DeferredWord.frameTag, DeferredWord.hugeFrameTag:
        let pfn = word.pfn
        let frame = frames.frame(pfn)
        if word.mayBeInSlot, slots == nil { slots = PinSlotSnapshot(of: frames) }
        if word.mayBeInSlot, slots?.holds(frame) == true {
          kept.append(word)
        } else if frame.put(Frame.oneReference) {
          if !allocator.manages(pfn) {
            if let first = sections.endReference(on: pfn) { endedSections.append(first) }
          } else if frame.has(Frame.hugeBit) {
            allocator.freeHuge(pfn)
          } else {
            freed.add(pfn, for: allocator)
          }
        }
      case DeferredWord.sectionTag:
        sections.release(word.pfn)
      case DeferredWord.tablePageTag:
        tablePages.free(UnsafeMutableRawPointer(bitPattern: UInt(word.payload))!)
      default:
        preconditionFailure("an unknown kind of deferred free")
      }
    }
    freed.flush(to: allocator)
    if !endedSections.isEmpty {
      // A device that ended while its frames were mapped. Seldom, so that a second grace period does not matter.
      RCU.synchronize()
      for first in endedSections { sections.release(first) }
    }
    return kept
  }
}

extension DeferredWord {
  static let frameTag = firstFreeTag
  static let tablePageTag = firstFreeTag + 1
  static let sectionTag = firstFreeTag + 2
  static let hugeFrameTag = firstFreeTag + 3

  /// What the words weigh. A frame counts an eighth of its bytes, so that 1 to 2 MiB of frames make a batch. More would
  /// not stay in the caches until they are cleared again. Fewer would cost a grace period too often. A table's node
  /// weighs as much, although it is neither cleared nor read as a whole when it is used again. An unmap of 16 pages may
  /// unlink three.
  static let weights = [
    frameTag: Page.size / 8, tablePageTag: Page.size / 8, sectionTag: BatchSchedule.mostWeight,
    hugeFrameTag: Page.hugeSize / 8,
  ]

  // Above the number.
  private static let slotless: UInt64 = 1 << 63

  /// One reference of a frame.
  static func frame(_ pfn: PFN) -> DeferredWord { DeferredWord(tag: frameTag, payload: pfn.rawValue << 3) }

  /// An entry's reference of a frame, or of a 2 MiB frame that the entry mapped whole.
  ///
  /// - Parameter mayBeInSlot: whether a pin by a slot may have come by this entry. It relies on this reference and no
  ///   other.
  static func entry(_ pfn: PFN, isHuge: Bool, mayBeInSlot: Bool) -> DeferredWord {
    let payload = pfn.rawValue << 3 | (mayBeInSlot ? 0 : slotless)
    return DeferredWord(tag: isHuge ? hugeFrameTag : frameTag, payload: payload)
  }

  fileprivate var mayBeInSlot: Bool { rawValue & Self.slotless == 0 }
  fileprivate var pfn: PFN { PFN((payload & ~Self.slotless) >> 3) }

  /// The frame, if the word is a reference of one.
  var framePFN: PFN? { tag == Self.frameTag || tag == Self.hugeFrameTag ? pfn : nil }

  /// A section that was unpublished, by its first frame.
  static func section(_ first: PFN) -> DeferredWord { DeferredWord(tag: sectionTag, payload: first.rawValue << 3) }

  /// A page of zeroes of the machine's pool.
  static func tablePage(_ page: UnsafeMutableRawPointer) -> DeferredWord {
    DeferredWord(tag: tablePageTag, payload: UInt64(UInt(bitPattern: page)))
  }
}

/// Frames to free gathered in a row, so that the allocator's lock is taken once for all of them.
private struct FrameBatch: ~Copyable {
  private static let capacity = 64

  private var pfns = InlineArray<64, PFN>(repeating: PFN(0))
  private var count = 0

  init() {}

  deinit { precondition(count == 0, "a batch of frames was dropped") }

  mutating func add(_ pfn: PFN, for allocator: FrameAllocator) {
    if count == Self.capacity { flush(to: allocator) }
    pfns[count] = pfn
    count += 1
  }

  mutating func flush(to allocator: FrameAllocator) {
    if count > 0 { allocator.free(pfns.span.extracting(0..<count)) }
    count = 0
  }
}
