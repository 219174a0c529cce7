/// Pins as Linux has taken them since 2008: no lock, one atomic addition, a second look at the entry (`gup_fast`).
///
/// Every pin is visible in the frame's counts at once, so the rest of the address space owes this engine nothing. An
/// operation that changed an entry looks at the counts. Two threads that pin one page meet on the line of its counts.
/// `SlotEngine` avoids that. `LockedEngine` is the baseline with locks.
@frozen @usableFromInline
enum ReferenceEngine {
  /// Holds the resident page at `address`. Four loads, one atomic addition, one more load.
  ///
  /// Returns nil if the fast path cannot hold it.
  @inlinable @inline(__always)
  static func hold(at address: VirtualAddress, _ options: PinOptions, in space: AddressSpace) -> HeldFrame? {
    guard address < VirtualAddress.limit else { return nil }
    return RCU.read { section in
      guard let leaf = space.table.leaf(for: address, section) else { return nil }
      guard leaf.isLowestLevel, options.test.accepts(leaf.pte), space.isNormal(leaf, at: address) else {
        return holdOther(leaf, at: address, options, in: space)
      }
      if options.contains(.longTerm), space.frames.isMovable(leaf.pte.pfn) { return nil }
      let frame = space.frames.frame(leaf.pte.pfn)
      guard space.retain(frame, options.holdDelta, behind: leaf) else { return nil }
      return HeldFrame(frame, space.memory, counts: options.holdDelta)
    }
  }

  /// Holds what `leaf` maps at `address`, if `hold` did not accept it. That is a part of 2 MiB, the zero page, or a
  /// page that needs a second comparison. Returns nil if the fast path cannot hold it. Out of line, so that base pages
  /// pay nothing.
  @usableFromInline @inline(never)
  static func holdOther(
    _ leaf: Leaf, at address: VirtualAddress, _ options: PinOptions, in space: AddressSpace
  ) -> HeldFrame? {
    guard space.mayHold(leaf, at: address, options), let leaf = space.markedAccessed(leaf) else {
      let isZero = space.zeroPages(behind: leaf, at: address, limit: 1, options) == 1
      return isZero ? holdZeroFrame(options, in: space) : nil
    }
    let folio = space.frames.frame(leaf.pte.folioPFN)
    guard space.retain(folio, options.holdDelta, behind: leaf) else { return nil }
    let page = space.frames.frame(leaf.pfn(at: address))
    return leaf.pte.isHuge
      ? HeldFrame(part: page, space.memory, counts: options.holdDelta)
      : HeldFrame(page, space.memory, counts: options.holdDelta)
  }

  /// Holds the zero page, once more. Returns nil if it has too many references.
  static func holdZeroFrame(_ options: PinOptions, in space: AddressSpace) -> HeldFrame? {
    guard space.retainZeroFrame(options.holdDelta, pages: 1) else { return nil }
    return HeldFrame(space.zeroFrame, space.memory, counts: options.holdDelta)
  }

  /// Holds the pages from `address` on that one huge entry maps, at most `pages` of them, by one addition. Returns
  /// false if `leaf` is no such entry, or cannot be held.
  static func holdRun(
    _ leaf: Leaf, at address: VirtualAddress, pages: Int, _ options: PinOptions, in space: AddressSpace,
    into held: inout HeldFrames
  ) -> Bool {
    guard leaf.mapsHuge, space.mayHold(leaf, at: address, options), let leaf = space.markedAccessed(leaf) else {
      return false
    }
    let folio = space.frames.frame(leaf.pte.folioPFN)
    guard space.retain(folio, options.holdDelta, behind: leaf) else { return false }
    held.append(
      run: space.frames.frame(leaf.pfn(at: address)), count: min(pages, Page.pagesPerHuge - address.pageInHuge))
    return true
  }
}
