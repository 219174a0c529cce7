/// How an engine holds the frame behind an entry that a walker has read, so that the frame stays put.
///
///     engine       the walker, inside one read-side section          what a writer that changed the entry does
///     Reference    adds to the frame's counts, looks again,          looks at the counts
///                  and backs out if the entry changed
///     Slot         stores the frame in a slot of its thread          a grace period, then looks at the slots
///                  and leaves the section
///     Locked       holds the page-table lock, then as Reference      waits for that lock; otherwise as Reference
///
/// The engines are in `Engines/`. What the rest of the address space owes one of them is at the engine, and what it
/// asks of them in `PinEngine+Rules.swift`. The walk and the slow path are common to all.
extension AddressSpace {
  /// Whether the fast path may hold what `leaf` maps, whatever its size.
  func mayHold(_ leaf: Leaf, at address: VirtualAddress, _ options: PinOptions) -> Bool {
    // Above the lowest level only a huge entry maps anything.
    guard leaf.isLowestLevel || leaf.pte.isHuge,
      options.accepts(leaf.pte.without(PTELayout.huge).with(PTELayout.accessed)),
      isNormal(leaf, at: leaf.start(for: address))
    else { return false }
    // The slow path moves the page out first.
    if options.contains(.longTerm), frames.isMovable(leaf.pte.pfn) { return false }
    // The slow path says why (`VMA.refuses`).
    let isLongWrite = options.contains(.longTerm) && options.contains(.write)
    return !isLongWrite || !frames.frame(leaf.pte.folioPFN).has(Frame.writtenBackBit)
  }

  /// The leaf with its entry marked as accessed (`folio_mark_accessed`), or nil if the entry changed.
  ///
  /// A pin is a use of the page. Without the mark, a page that only devices use would be the first to go when its pin
  /// ends.
  @_lifetime(copy leaf)
  func markedAccessed(_ leaf: Leaf) -> Leaf? {
    // A forced pin takes what the program may not even read: that entry is left as it is.
    if leaf.pte.isAccessed || leaf.pte.isProtNone { return leaf }
    let pte = leaf.pte.with(PTELayout.accessed)
    guard leaf.ptep.replace(leaf.pte, with: pte) else { return nil }
    return Leaf(leaf.ptep, pte, isLowestLevel: leaf.isLowestLevel, leaf.section)
  }

  /// Adds `holdDelta` to the counts of the frame behind an entry, unless the entry has changed or the frame has too
  /// many references (`Frame.isAtLimit`).
  ///
  /// The reference protocol of pins and gets: add, look again, back out. A fault that copies a page does the same for
  /// its original, with yield points of its own (`Fault+WriteProtect.swift`).
  ///
  /// ORDERING [pin-then-look]: the addition and the second look are sequentially consistent. A writer changes the entry
  /// and looks at the counts after ([change-then-count]). The frame cannot be freed in between: the entry's own
  /// reference falls only when the leaf's section has ended ([deferred-free]).
  ///
  /// - Parameter folio: the frame with the counts for the entry.
  @inlinable @inline(__always)
  func retain(_ folio: Frame, _ holdDelta: UInt64, behind leaf: Leaf) -> Bool {
    YieldPoint.pinBetweenEntryAndReference.reach()
    let isBelowLimit = folio.retain(holdDelta)
    YieldPoint.pinBetweenReferenceAndSecondLook.reach()
    if isBelowLimit, leaf.ptep.load() == leaf.pte { return true }
    backOut(folio, holdDelta)
    return false
  }

  /// Gives back counts that were added behind an entry that had changed by then.
  @usableFromInline @inline(never)
  func backOut(_ folio: Frame, _ holdDelta: UInt64) { memory.put(folio, holdDelta) }
}
