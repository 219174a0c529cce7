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
/// 2 MiB that a mapping shows whole are marked as they are: a store to any page keeps them all. If the advice is about
/// a part of 2 MiB, these pages alone are marked, after a break-up. If others map the 2 MiB, or hold them, a part of
/// them is not marked (`madvise_free_huge_pmd`).
///
/// ORDERING [change-then-count], [slot-then-leave]: the entry was replaced and a grace period has passed before c
/// looks. A pin that c does not see finds the entry changed, backs out, and then waits for the next page.
extension AddressSpace {
  /// Marks the private anonymous pages of a range. Pages in the swap file go at once.
  func freeLazily(_ range: Range<VirtualAddress>) throws(PageError) {
    func refusal(_ attributes: VMA.Attributes) -> PageError? {
      attributes.refusesDiscard ?? attributes.refusesPageOut ?? (attributes.isAnonymous ? nil : .invalidArgument)
    }
    breakUpPartlyShown(in: range, unless: refusal)
    try changeParts(of: range, unless: refusal) { part, mapping, lock, teardown in
      var cursor = table.cursor(over: part, lock)
      while let step = cursor.next() {
        switch step {
        case .huge(let span):
          if span.isWhole { freeLazily(span, &teardown) }
        case .base(let run):
          if freeLazily(run, &teardown) { continue }
          for (address, ptep) in run { freeLazily(ptep, at: address, in: mapping, &teardown) }
        }
      }
    }
  }

  /// The 2 MiB of one entry. 2 MiB of zeroes have nothing to free.
  private func freeLazily(_ span: TableCursor.HugeSpan, _ teardown: inout Teardown) {
    // In one section with the entry, so that the frame stays what it is.
    RCU.read { _ in
      let pte = span.ptep.waitUntilUnlocked()
      guard pte.mapsHuge, pte.isAnonymous, markLazilyFreed(pte.pfn, mappings: 1) else { return }
      // A mirror that remembers the page would store to it without a fault.
      revokingTranslations(of: span.range) { makeClean(span.ptep, &teardown) }
    }
  }

  /// The 2 MiB that the entries of a node show whole. Returns false if these show anything else.
  private func freeLazily(_ run: TableCursor.BaseRun, _ teardown: inout Teardown) -> Bool {
    RCU.read { _ in
      guard let first = hugeFrame(shownBy: run) else { return false }
      guard markLazilyFreed(first, mappings: Page.pagesPerHuge) else { return true }
      revokingTranslations(of: run.range) { for (_, ptep) in run { makeClean(ptep, &teardown) } }
      return true
    }
  }

  /// Marks 2 MiB, unless more than `mappings` entries map them or their pages: then it returns false. The caller has
  /// found that many, in its section.
  private func markLazilyFreed(_ first: PFN, mappings: Int) -> Bool {
    guard frames.mappings(of: first, upTo: mappings + 1) == mappings else { return false }
    for index in 0..<Page.pagesPerHuge where frames.frame(first + index).has(Frame.dirtyBit) {
      frames.frame(first + index).clear(Frame.dirtyBit)
    }
    frames.frame(first).set(Frame.lazilyFreedBit)
    return true
  }

  /// Makes an entry clean that maps 2 MiB, or a page of them. If a fault has split the entry, or copied the page, it is
  /// left as it is: what stays dirty keeps the memory.
  private func makeClean(_ ptep: PTEPointer, _ teardown: inout Teardown) {
    let before = ptep.update {
      $0.mapsHuge && $0.isAnonymous ? $0.without(PTELayout.dirty, PTELayout.accessed) : nil
    }
    if before.mapsHuge, before.isDirty { teardown.expectAccess() }
  }

  private func freeLazily(
    _ ptep: PTEPointer, at address: VirtualAddress, in mapping: VMATree.Mapping, _ teardown: inout Teardown
  ) {
    if freeSwapped(ptep, &teardown) { return }
    // In one section with the entry, so that the frame stays what it is.
    RCU.read { _ in
      while true {
        let pte = ptep.waitUntilUnlocked()
        guard pte.isMapped, pte.isAnonymous, !pte.isHuge,
          let frame = normalFrame(pte, at: address, in: mapping)
        else { return }
        // Another space's entry of a page that came back from the swap file is clean, and not for this advice.
        // One of a copy that unsharing made is clean, too. The advice takes it all the same, as Linux 6.18 does
        // (scenario `advise-free-unshared-copy`).
        if pte.isExclusive {
          Self.markLazilyFreed(frame)
        } else if !memory.swap.whileUnused({ Self.markLazilyFreed(frame, isShared: frame.mapCount > 1) }) {
          return
        }
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

  /// Marks the frame of a base page. What a device has stored so far may go, too (`madvise_free_pte_range`).
  ///
  /// - Parameter isShared: whether other entries map it. After a fork a page may be down to one entry, which no store
  ///   has made exclusive again. A fork that would add an entry waits for the lock.
  private static func markLazilyFreed(_ frame: Frame, isShared: Bool = false) {
    if !isShared { frame.clear(Frame.dirtyBit) }
    frame.set(Frame.lazilyFreedBit)
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
    // As a frame that was written out: reclaim counts it. ORDERING [last-put]: as every put.
    if frame.put(Frame.oneReference) { memory.swap.freeFrame(pfn) }
    return true
  }
}
