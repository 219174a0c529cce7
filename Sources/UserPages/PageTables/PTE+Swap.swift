/// Entries of pages that are in the swap file, or on their way there or back.
///
///     kind       `swap`
///     payload    the slot's number
///     cowShared  as in a mapped entry: another entry may lead to the same page. Clear, the page is exclusive to this one
///                (Linux's pte_swp_exclusive), and will be again when it is back
///
/// The bit is where mapped entries have it: no layout tells kinds, payloads, links or present entries by it. All other
/// properties come from the mapping when the page comes back. A page that is in memory again is clean.
extension PTE {
  init(swappedTo slot: SwapSlot, isShared: Bool) {
    self.init(.swap, payload: UInt64(slot.rawValue))
    if isShared { set(PTELayout.cowShared) } else { clear(PTELayout.cowShared) }
  }

  /// The slot that the entry leads to, if it does.
  var swapSlot: SwapSlot? { nonPresentKind == .swap ? SwapSlot(Int(payload)) : nil }

  var isSwapped: Bool { nonPresentKind == .swap }
}
