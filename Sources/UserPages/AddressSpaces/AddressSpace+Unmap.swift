extension AddressSpace {
  /// Unmaps a range (`munmap(2)`). What is not mapped there stays so.
  ///
  /// Pins outlive it: their frames are freed when the last pin and the last mapping are gone.
  ///
  /// - Throws: `invalidArgument` for an empty or unaligned range, or one that is not inside the address space.
  public func unmap(at address: VirtualAddress, pages: Int) throws(PageError) {
    guard let range = address.range(pages: pages) else { throw .invalidArgument }
    changeMappings { teardown in remove(range, &teardown) }
  }

  /// Tears the space down: as `unmap` of everything. Idempotent; afterwards the space is empty and can be used again.
  ///
  /// - Precondition: not called inside a read-side section.
  public func exit() {
    var teardown = Teardown(memory.deferred)
    mmapLock.writing {
      remove(VirtualAddress(0)..<VirtualAddress.limit, &teardown)
      teardown.close(with: staleAccesses)
    }
    // The mappings kept backings alive, and backings the machine: let them go now, not at some later drain.
    teardown.finishAndDrain()
  }

  /// Unmaps a range. Under the mmap lock, held for writing.
  func remove(_ range: Range<VirtualAddress>, _ teardown: inout Teardown) {
    var old = VMATree.Replaced()
    mappings.carve(range, replacing: &old)
    if !old.isEmpty { mappings.publish() }
    zap(range, of: old, &teardown)
    // Also where nothing was mapped: a fault that its mapping's end overtook may have made nodes since.
    unlinkVacantNodes(around: range, &teardown)
    mappings.retire(old, &teardown)
  }

  /// Unlinks the nodes on the way to `range` in whose span no mapping is left. Under the mmap lock, held for writing.
  func unlinkVacantNodes(around range: Range<VirtualAddress>, _ teardown: inout Teardown) {
    let floor = mappings.last(beginningBelow: range.lowerBound)?.value.range.upperBound ?? VirtualAddress(0)
    // The top of the address space is not a multiple of a node's span: let the last nodes count as vacant too.
    let ceiling = mappings.first(endingAbove: range.upperBound)?.value.range.lowerBound ?? VirtualAddress(1 << 48)
    table.unlinkNodes(in: range, vacant: floor..<ceiling) { teardown.deferFree($0) }
  }

  /// Empties the entries of a range that belong to a mapping, and gives up what they held.
  func zap(_ range: Range<VirtualAddress>, in mapping: VMATree.Mapping, _ teardown: inout Teardown) {
    table.forEachEntry(in: range) { span in
      if !span.isWhole { return split(span, in: mapping) }
      let pte = span.ptep.update { $0.mapsHuge ? .empty : nil }
      guard pte.mapsHuge else { return .again }
      YieldPoint.unmapBetweenClearAndFree.reach()
      drop(pte, at: span.range.lowerBound, isHuge: true, in: mapping, &teardown)
      return .next
    } _: { address, ptep in
      let pte = ptep.clear()
      if pte.isMapped {
        YieldPoint.unmapBetweenClearAndFree.reach()
        drop(pte, at: address, in: mapping, &teardown)
      } else if pte.isEmpty {
        teardown.meetEmptyEntry()
      } else if dropUnmapped(pte) {
        teardown.expectAccess()
      }
    }
  }

  /// The same for what lies in `range` of mappings that were taken away, which is where entries are.
  func zap(_ range: Range<VirtualAddress>, of old: borrowing VMATree.Replaced, _ teardown: inout Teardown) {
    old.forEach { mapping in
      let part = mapping.value.range.clamped(to: range)
      if !part.isEmpty { zap(part, in: mapping, &teardown) }
    }
  }

  /// Gives up what an entry held that was just taken from the table, and notes whether another thread could tell an access
  /// through it from one before the operation.
  ///
  /// It could not where the entry's frame is private memory that is reachable from here alone: its bytes stay as they are until
  /// it is freed, a grace period later. Everything else may change once the caller believes it unmapped: a file is written, a
  /// device stores, memory that was mapped by number is freed by its owner. A private mapping of a file counts as well, even
  /// where it has made a copy: an access may have read the entry before the copy was.
  ///
  /// - Parameter isHuge: whether it mapped 2 MiB, from `address` on.
  @inline(__always)
  private func drop(
    _ pte: PTE, at address: VirtualAddress, isHuge: Bool = false, in mapping: VMATree.Mapping,
    _ teardown: inout Teardown
  ) {
    let isAnonymousMemory = mapping.value.attributes.isAnonymous
    guard let folio = release(pte, at: address, isHuge: isHuge, in: mapping, &teardown) else {
      // The page of zeroes never changes.
      if !(isAnonymousMemory && isZeroPage(pte)) { teardown.expectAccess() }
      return
    }
    // ORDERING [change-then-count]: the entry is gone, the references are looked at after.
    //
    // ORDERING [first-slot-pin]: a pin in a slot can only be seen a grace period later. A look at the slots now would come too
    // early: 1. a pin has read the entry; 2. this looks and finds no slot; 3. the pin stores its slot; 4. the operation
    // returns; 5. the device writes to the page, and a load by the old entry sees it. But a pin that finds the entry never
    // slot-pinned changes the entry before it stores its slot. The entry is gone, so there is no such pin and comes none. Nor
    // has another space the frame: a fork clears the bit, too.
    if !isAnonymousMemory || engine.mayHoldUncounted(pte) || folio.references > 1 { teardown.expectAccess() }
  }

  /// Gives up the mapping and, a grace period later, the reference that an entry stood for. Returns the frame that has the
  /// counts, or nil for an entry that held none.
  @inline(__always)
  @discardableResult
  func release(
    _ pte: PTE, at address: VirtualAddress, isHuge: Bool = false, in mapping: VMATree.Mapping,
    _ teardown: inout Teardown
  ) -> Frame? {
    guard let frame = normalFrame(pte, at: address, in: mapping) else { return nil }
    if pte.isDirty, !pte.isAnonymous { frame.set(Frame.dirtyBit) }
    if isHuge { frame.removeHugeMapping() } else { frame.removeMapping() }
    teardown.deferFree(.frame(pte.folioPFN))
    return frames.frame(pte.folioPFN)
  }
}
