/// Pages that may be dropped until their next store (`MADV_FREE`).
///
/// The frame is marked, and the entry is clean. A store needs a dirty entry, so the first one takes a fault, and the
/// page is kept. A page-out or reclaim drops the page, without the swap file, if mark and entry say so:
///
///     advice                                   page-out, reclaim                        a store, a pin
///     1. marks the frame                       a. finds mark and clean entry;           finds the entry clean: a fault makes it dirty
///     2. makes the entry clean                    a migration entry takes its place     finds the migration entry: a fault waits
///     3. a grace period (`Teardown`):          b. a grace period                        a pin by the old entry is counted, or in a slot
///        stores by the dirty entry             c. a holder, or a page that a pin
///        have landed                              left dirty: the entry comes back
///                                              d. else it becomes empty, the frame is free
///
/// ORDERING [change-then-count], [slot-then-leave]: the entry was replaced and a grace period has passed before c
/// looks. A pin that c does not see finds the entry changed, backs out, and then waits for the next page.
extension AddressSpace {
  /// Marks the private anonymous pages of a range. Pages in the swap file go at once.
  func freeLazily(_ range: Range<VirtualAddress>) throws(PageError) {
    try changeParts(
      of: range, unless: { $0.refusesDiscard ?? $0.refusesPageOut ?? ($0.isAnonymous ? nil : .invalidArgument) }
    ) { part, mapping, lock, teardown in
      var cursor = table.cursor(over: part, lock)
      while let step = cursor.next() {
        switch step {
        case .huge(let span):
          // 2 MiB of zeroes have nothing to free.
          guard span.ptep.waitUntilUnlocked().isAnonymous else { continue }
          split(span, in: mapping, lock)
          cursor.lookAgain()
        case .base(let run):
          for (address, ptep) in run { freeLazily(ptep, at: address, in: mapping, &teardown) }
        }
      }
    }
  }

  private func freeLazily(
    _ ptep: PTEPointer, at address: VirtualAddress, in mapping: VMATree.Mapping, _ teardown: inout Teardown
  ) {
    if freeSwapped(ptep, &teardown) { return }
    // In one section with the entry, so that the frame stays what it is.
    RCU.read { _ in
      while true {
        let pte = ptep.waitUntilUnlocked()
        guard pte.isMapped, pte.isAnonymous, let frame = normalFrame(pte, at: address, in: mapping) else { return }
        // Another space's entry of a page that came back from the swap file is clean, and not for this advice.
        guard pte.isExclusive || memory.swap.isUnused else { return }
        // What a device has stored so far may go (`madvise_free_pte_range`). After a fork a page may be down to this
        // entry, which no store has made exclusive again. A fork that would add an entry waits for the lock.
        if pte.isExclusive || frame.mapCount == 1, !pte.isHuge { frame.clear(Frame.dirtyBit) }
        frame.set(Frame.lazilyFreedBit)
        YieldPoint.freeBetweenMarkAndEntry.reach()
        // A mirror that remembers the page would store to it without a fault.
        let isDone = revokingTranslations(of: address..<address + Page.size) {
          ptep.replace(pte, with: pte.without(PTELayout.dirty, PTELayout.accessed))
        }
        if !isDone { continue }
        if pte.isDirty { teardown.expectAccess() }
        return
      }
    }
  }

  /// Gives up the page of a swap entry, and returns true. If the slot is held, a page-out or a fault is not done with
  /// the page, which may be pinned: it stays.
  private func freeSwapped(_ ptep: PTEPointer, _ teardown: inout Teardown) -> Bool {
    while true {
      let pte = ptep.waitUntilUnlocked()
      guard let slot = pte.swapSlot else { return false }
      guard ptep.lock(pte) else { continue }
      // The entry is locked, so it is the slot's user, and no page-out begins with the page.
      if memory.swap.isHeld(slot) {
        ptep.store(pte)
        return true
      }
      ptep.store(.empty)
      if giveUpNonPresent(pte) { teardown.expectAccess() }
      return true
    }
  }

  /// Whether a page-out may drop what the entry maps.
  func isLazilyFreed(_ pte: PTE, _ frame: Frame) -> Bool {
    !pte.isDirty && frame.has(Frame.lazilyFreedBit) && !frame.has(Frame.dirtyBit) && frame.mapCount == 1
  }

  /// Step c and d, for an entry that was replaced by `after` a grace period ago. Returns false if the page is held: the
  /// caller puts it back.
  func drop(_ pfn: PFN, behind after: PTE, at ptep: PTEPointer, _ slots: PinSlotSnapshot) -> Bool {
    let frame = frames.frame(pfn)
    if frame.references > 1 || slots.holds(frame) || frame.has(Frame.dirtyBit) { return false }
    // If advice has emptied the entry meanwhile, it has left the page to this.
    _ = ptep.replace(after, with: .empty)
    frame.removeMapping()
    // As a frame that was written out: reclaim counts it.
    memory.swap.giveUp(pfn)
    return true
  }
}
