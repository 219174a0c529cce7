/// What operations outside of `Pinning` ask a space's engine. Each answer is one engine's, in its file.
extension PinEngine {
  /// Whether pins try the fast path first.
  @inlinable var hasFastPath: Bool { self != .locked }

  /// Whether the mmap lock of a space has a lock for each stripe, or one for everything.
  var hasStripedLock: Bool { self != .locked }

  /// The page-table locks of a new space, or nil for an engine that takes none.
  func makeTableLocks() -> PageTableLocks? { self == .locked ? LockedEngine.makeTableLocks() : nil }

  /// Prepares the entry with which a first touch installs the space's own, new frame.
  @inline(__always)
  func markOwn(_ pte: inout PTE) { if self == .slot { SlotEngine.markOwn(&pte) } }

  /// Whether a get holds `folio`, which no exclusive entry maps, without its counts showing that.
  func holdsUncounted(_ folio: Frame, in frames: FrameTable) -> Bool {
    self == .slot && SlotEngine.holdsUncounted(folio, in: frames)
  }

  /// Whether the frame behind an entry that was just cleared may be held by a pin that its counts do not show.
  @inline(__always)
  func mayHoldUncounted(_ pte: PTE) -> Bool { self == .slot && SlotEngine.mayHoldUncounted(pte) }
}
