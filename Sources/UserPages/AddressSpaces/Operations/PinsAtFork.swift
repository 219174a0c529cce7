/// Which of the parent's pages are pinned. A fork asks when it has changed their entries and a grace period has passed.
struct PinsAtFork {
  private let frames: FrameTable
  private let slots: PinSlotSnapshot
  private let shared: SharedParts

  /// Looks at the slots. O(threads + pages in lists).
  ///
  /// - Parameter shared: parts that were shared before this fork.
  init(in frames: FrameTable, sparing shared: SharedParts) {
    self.frames = frames
    self.shared = shared
    slots = PinSlotSnapshot(of: frames)
  }

  /// Whether a frame is pinned, by its counts or by a slot.
  @inline(__always)
  func isPinned(_ folio: Frame) -> Bool { folio.pins > 0 || slots.isPinned(folio) }

  /// Whether the anonymous page behind an entry is pinned, so that it must stay the parent's own.
  ///
  /// ORDERING [change-then-count]: the entry was write-protected and a grace period has passed. A pin that is not seen
  /// here will find the entry write-protected at its second look. Only an exclusive page can have been pinned, so a
  /// page that is pinned was exclusive until this fork. A part of 2 MiB is no proof: the pins of a 2 MiB frame are
  /// counted as a whole.
  @inline(__always)
  func isPinned(_ pte: PTE, at address: VirtualAddress) -> Bool {
    isPinned(frames.frame(pte.folioPFN)) && !(pte.isHuge && shared.contains(address))
  }
}

/// The parts of 2 MiB frames that a fork found already shared.
///
/// Pins are counted for the frame as a whole. A part that is not inherited (`dontFork`) and still exclusive may be
/// pinned. Its pins then show at the other parts too, which an earlier fork may have shared. A shared part cannot have
/// been pinned itself, so it stays as it is. Linux asks the same of each page before it looks for pins
/// (PageAnonExclusive).
struct SharedParts {
  /// Runs of pages, in order.
  private var runs: [Range<VirtualAddress>] = []

  /// Adds a page behind all others.
  mutating func append(_ page: VirtualAddress) {
    if let last = runs.last, last.upperBound == page {
      runs[runs.count - 1] = last.lowerBound..<page + Page.size
    } else {
      runs.append(page..<page + Page.size)
    }
  }

  /// O(log n) of the runs.
  func contains(_ page: VirtualAddress) -> Bool {
    let index = runs.indices.partitioningIndex { runs[$0].upperBound > page }
    return index < runs.count && runs[index].contains(page)
  }
}
