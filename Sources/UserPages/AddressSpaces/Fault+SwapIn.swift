/// A page that a fault has read from the swap file.
struct SwappedPage {
  /// Held: no other page's meanwhile.
  let slot: SwapSlot
  /// The contents, in a frame that no other thread knows; nil when an entry got it.
  var frame: PFN?
}

/// Faults on entries of pages that are out (`do_swap_page`).
extension AddressSpace {
  /// Maps the page that the site's entry leads to: the cached frame where there is one, else one that was read.
  ///
  /// The slot is looked at while the entry is locked. So it is the entry's own, and in use; where it must be read the fault holds
  /// it before the entry is let go, and what it then reads outside of the section is this page's, whatever becomes of the
  /// entry. Linux looks at the entry again instead, after it has taken the slot.
  ///
  /// An exclusive page is writable at once where the mapping says so; what a store needs besides is for the next attempt.
  @inline(never)
  func swapIn(_ site: FaultSite, _ access: FaultAccess, _ resources: inout FaultResources) -> FaultOutcome {
    guard let slot = site.pte.swapSlot else { return .failed(.busError) }
    YieldPoint.faultBeforeInstall.reach()
    // ORDERING [lock-then-validate]: as `install`.
    guard site.ptep.lock(site.pte) else { return .again }
    guard site.mapping.value.isLive else {
      site.ptep.store(site.pte)
      return .sealed
    }
    let own = resources.swapped?.slot == slot ? resources.swapped?.frame : nil
    guard case .frame(let pfn) = memory.swap.claim(slot, own: own) else {
      site.ptep.store(site.pte)
      return .needsSwapped(slot)
    }
    if pfn == own { resources.swapped?.frame = nil }
    let isShared = site.pte.has(PTELayout.cowShared)
    var pte = PTE(mapping: pfn).with(PTELayout.anonymous)
    if isShared { pte.set(PTELayout.cowShared) }
    site.ptep.store(site.finish(pte, writable: !isShared))
    switch access {
    case .read, .forcedRead: return .done
    case .write, .forcedWrite, .unshare: return .again
    }
  }

  /// Reads a slot that the caller holds, and passes the hold on with the page.
  func read(_ slot: SwapSlot, holdsMmapLock: Bool) throws(PageError) -> SwappedPage {
    YieldPoint.swapInBetweenHoldAndRead.reach()
    do throws(PageError) {
      let pfn = try memory.allocateFrame(underLock: holdsMmapLock)
      guard memory.swap.read(slot, into: pfn) else {
        memory.discardFrame(pfn)
        throw .busError
      }
      YieldPoint.swapInBetweenReadAndMap.reach()
      return SwappedPage(slot: slot, frame: pfn)
    } catch {
      memory.swap.release(hold: slot)
      throw error
    }
  }

  /// Gives back what was read and is not needed any more.
  func discardSwapped(_ resources: inout FaultResources) {
    guard let page = resources.swapped else { return }
    if let pfn = page.frame { memory.discardFrame(pfn) }
    memory.swap.release(hold: page.slot)
    resources.swapped = nil
  }

  /// A fork's part: marks a swap entry as shared and counts one more user of its slot. Returns the entry for the child. The
  /// mapping is sealed, so no fault takes the page back meanwhile.
  func shareSwapped(_ pte: PTE, at ptep: PTEPointer) -> PTE {
    let shared = pte.with(PTELayout.cowShared)
    _ = ptep.update { _ in shared }
    if let slot = pte.swapSlot { memory.swap.addUser(slot) }
    return shared
  }

  /// Gives up the swap slot of an entry that was just cleared. Returns whether an access through the entry before it may be under
  /// way: while the page is in memory, the page-out that replaced that entry may not have waited yet.
  @inline(never)
  func dropUnmapped(_ pte: PTE) -> Bool {
    guard let slot = pte.swapSlot else { return false }
    return memory.swap.removeUser(slot)
  }
}
