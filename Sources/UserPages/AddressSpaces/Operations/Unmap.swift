extension AddressSpace {
  /// Unmaps a range (`munmap(2)`). Parts of it that are not mapped stay so.
  ///
  /// When it returns, no load or store through an old entry can be noticed any more. It waits for a grace period,
  /// unless the memory was private and no other space and no pin could reach it. Pins outlive it: a frame is free when
  /// its last pin and its last mapping are gone.
  ///
  /// - Precondition: not called inside a read-side section.
  /// - Throws:
  ///   - `invalidArgument` for an empty or unaligned range, or one that is not inside the address space.
  ///   - `notPermitted` if a part of it is sealed. All of it then stays mapped.
  /// - Complexity: O(log n) of the mappings, and the pages that were mapped there.
  public func unmap(at address: VirtualAddress, pages: Int) throws(PageError) {
    guard let range = address.range(pages: pages) else { throw .invalidArgument }
    try changeMappings(in: range) { writer, teardown throws(PageError) in
      try requireUnmappable(range, writer, &teardown)
      remove(range, writer, &teardown)
    }
  }

  /// Unmaps everything (`exit_mmap`). Idempotent: afterwards the space is empty and can be used again.
  ///
  /// The end of a space's life does the same. Call this if other threads may still use the space. It waits for their
  /// accesses. Before it returns, it frees the backings that the mappings kept.
  ///
  /// - Precondition: not called inside a read-side section.
  public func exit() {
    var teardown = Teardown(memory.deferred)
    mmapLock.writing { writer in
      remove(VirtualAddress(0)..<VirtualAddress.limit, writer, &teardown)
      teardown.close(with: staleAccesses)
    }
    teardown.finishAndDrain()
  }

  /// Unmaps a range.
  func remove(_ range: Range<VirtualAddress>, _ writer: borrowing MmapWriter, _ teardown: inout Teardown) {
    var old = VMATree.Replaced()
    mappings.carve(range, replacing: &old, writer)
    if !old.isEmpty { mappings.publish(writer) }
    zap(range, of: old, writer.reader, &teardown)
    // Even if nothing was mapped: a fault that lost its mapping may have linked nodes since.
    unlinkVacantNodes(around: range, writer, &teardown)
    mappings.retire(old, &teardown)
  }

  /// Unlinks the nodes on the way to `range` that have no mapping left in their span.
  ///
  /// - Parameter occupied: counts as mapped, because its entries are still there.
  func unlinkVacantNodes(
    around range: Range<VirtualAddress>, besides occupied: Range<VirtualAddress>? = nil,
    _ writer: borrowing MmapWriter, _ teardown: inout Teardown
  ) {
    let (left, right) = mappings.neighbours(of: range, writer.reader)
    // What lies outside of the extent may be mapped by another thread at this moment: nodes that reach there stay.
    let extent = writer.extent
    var floor = max(left?.end ?? extent.lowerBound, extent.lowerBound)
    var ceiling = min(right?.start ?? extent.upperBound, extent.upperBound)
    if let occupied {
      if occupied.upperBound <= range.lowerBound { floor = max(floor, occupied.upperBound) }
      if range.upperBound <= occupied.lowerBound { ceiling = min(ceiling, occupied.lowerBound) }
    }
    let isStripeVacant = floor..<ceiling == extent && extent != .everything
    let keepsNode = isStripeVacant && stripeNodes.keepsNode(ofStripeAt: floor, writer)
    table.unlinkNodes(in: range, vacant: floor..<ceiling, below: keepsNode ? Stripe.size : .max, writer) {
      teardown.deferFree($0)
    }
  }

  /// Empties the entries of a range that belong to a mapping, and gives up what they held (`zap_page_range`).
  ///
  /// - Parameters:
  ///   - range: inside the mapping.
  ///   - mapping: it says what the entries mean.
  ///   - keepsGuards: whether guard markers stay, because the mapping does.
  ///   - lock: keeps the mapping and its nodes.
  ///   - teardown: what frees and waits.
  func zap(
    _ range: Range<VirtualAddress>, in mapping: VMATree.Mapping, keepsGuards: Bool = false,
    _ lock: borrowing MmapReader, _ teardown: inout Teardown
  ) {
    var cursor = table.cursor(over: range, lock)
    while let step = cursor.next() {
      switch step {
      case .huge(let span):
        guard span.isWhole else {
          split(span, in: mapping, lock)
          cursor.lookAgain()
          continue
        }
        let pte = revokingTranslations(of: span.range) { span.ptep.update { $0.mapsHuge ? .empty : nil } }
        guard pte.mapsHuge else {
          cursor.lookAgain()
          continue
        }
        YieldPoint.unmapBetweenClearAndFree.reach()
        drop(pte, at: span.range.lowerBound, isHuge: true, in: mapping, &teardown)
      case .base(let run):
        revokingTranslations(of: run.range) {
          for (address, ptep) in run {
            let pte = keepsGuards ? ptep.update { $0.isEmpty || $0.isGuard ? nil : .empty } : ptep.clear()
            giveUp(pte, at: address, in: mapping, &teardown)
          }
        }
      }
    }
  }

  /// Gives up what an entry of the lowest level held that was just replaced, and notes whether accesses through it
  /// count.
  @inline(__always)
  func giveUp(
    _ pte: PTE, at address: VirtualAddress, in mapping: VMATree.Mapping, _ teardown: inout Teardown
  ) {
    if pte.isMapped {
      YieldPoint.unmapBetweenClearAndFree.reach()
      drop(pte, at: address, in: mapping, &teardown)
    } else if !pte.isEmpty, giveUpNonPresent(pte) {
      teardown.expectAccess()
    }
  }

  /// Empties the entries in `range` that belong to mappings that were replaced.
  func zap(
    _ range: Range<VirtualAddress>, of old: borrowing VMATree.Replaced, _ lock: borrowing MmapReader,
    _ teardown: inout Teardown
  ) {
    old.forEach { mapping in
      let part = mapping.value.range.clamped(to: range)
      if !part.isEmpty { zap(part, in: mapping, lock, &teardown) }
    }
  }

  /// Gives up what a cleared entry held, and notes whether an access through it must have ended when the operation
  /// returns.
  ///
  /// It need not have if the frame is private memory that is reachable through this entry alone. Its bytes stay as they
  /// are until the frame is freed, a grace period later. All else may change once the caller believes it unmapped. A
  /// file is written, a device stores, or the owner of memory that was mapped by number frees it. A private mapping of
  /// a file counts even if it shows a copy: the access may have read the entry that the copy replaced.
  ///
  /// - Parameter isHuge: whether the entry mapped 2 MiB, from `address` on.
  @inline(__always)
  private func drop(
    _ pte: PTE, at address: VirtualAddress, isHuge: Bool = false, in mapping: VMATree.Mapping,
    _ teardown: inout Teardown
  ) {
    let isAnonymousMemory = mapping.value.attributes.isAnonymous
    guard let folio = deferPut(pte, at: address, isHuge: isHuge, in: mapping, &teardown) else {
      // The zero page never changes.
      if !(isAnonymousMemory && isZeroPage(pte)) { teardown.expectAccess() }
      return
    }
    // ORDERING [change-then-count]: the entry was cleared, the references are looked at after.
    //
    // ORDERING [first-slot-pin]: a pin in a slot can only be seen a grace period later. A look at the slots now would
    // come too early:
    // 1. A pin has read the entry.
    // 2. This looks and finds no slot.
    // 3. The pin stores its slot.
    // 4. The operation returns.
    // 5. The device writes to the page, and a load by the old entry sees it.
    // But a pin that finds the entry never slot-pinned changes the entry before it stores its slot. The entry is gone,
    // so no such pin is there and none comes. Nor does another space map the frame: a fork clears the bit, too.
    if !isAnonymousMemory || engine.mayHoldUncounted(pte) || folio.references > 1 { teardown.expectAccess() }
  }

  /// Gives up the mapping that an entry stood for, and defers the put of its reference. Returns the frame that has
  /// the counts, or nil for an entry that held none.
  @inline(__always)
  @discardableResult
  func deferPut(
    _ pte: PTE, at address: VirtualAddress, isHuge: Bool = false, in mapping: VMATree.Mapping,
    _ teardown: inout Teardown
  ) -> Frame? {
    guard let frame = normalFrame(pte, at: address, in: mapping) else { return nil }
    if pte.isDirty, !pte.isAnonymous { frame.set(Frame.dirtyBit) }
    memory.removeMapping(of: frame, partOf: pte.privateHugePFN, isWhole: isHuge)
    teardown.deferFree(.entry(pte.folioPFN, isHuge: isHuge, mayBeInSlot: engine.mayHoldUncounted(pte)))
    return frames.frame(pte.folioPFN)
  }
}
