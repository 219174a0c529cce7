extension AddressSpace {
  /// Unmaps a range (`munmap(2)`). What is not mapped there stays so.
  ///
  /// Pins outlive it: their frames are freed when the last pin and the last mapping are gone.
  ///
  /// - Throws: `invalidArgument` for an empty or unaligned range, or one that is not inside the address space.
  public func unmap(at address: VirtualAddress, pages: Int) throws(PageError) {
    guard let range = address.range(pages: pages) else { throw .invalidArgument }
    settle(storesMayLinger: remove(range))
  }

  /// Tears the space down: as `unmap` of everything. Idempotent; afterwards the space is empty and can be used again.
  public func exit() {
    let lingering = remove(VirtualAddress(0)..<VirtualAddress.limit)
    settle(storesMayLinger: lingering)
    // The mappings kept backings alive, and backings the machine: let them go now, not at some later drain. Other threads'
    // releases are not waited for: the caller may hold a lock that one of those needs.
    if !RCU.isReading { memory.deferred.drain() }
  }

  private func remove(_ range: Range<VirtualAddress>) -> Bool { mmapLock.writing { removeLocked(range) } }

  /// Unmaps under the mmap lock, held for writing; returns whether stores through what was unmapped may linger.
  func removeLocked(_ range: Range<VirtualAddress>) -> Bool {
    var old = VMATree.Replaced()
    mappings.carve(range, replacing: &old)
    if !old.isEmpty { mappings.publish() }
    let lingering = zap(range, of: old)
    // Also where nothing was mapped: a fault that its mapping's end overtook may have made nodes since.
    unlinkVacantNodes(around: range)
    mappings.retire(old)
    return lingering
  }

  /// Unlinks the nodes on the way to `range` in whose span no mapping is left. Under the mmap lock, held for writing.
  func unlinkVacantNodes(around range: Range<VirtualAddress>) {
    let floor = mappings.last(beginningBelow: range.lowerBound)?.value.range.upperBound ?? VirtualAddress(0)
    // The top of the address space is not a multiple of a node's span: let the last nodes count as vacant too.
    let ceiling = mappings.first(endingAbove: range.upperBound)?.value.range.lowerBound ?? VirtualAddress(1 << 48)
    table.unlinkNodes(in: range, vacant: floor..<ceiling, memory: memory)
  }

  /// Empties the entries of a range that belong to a mapping and gives their references up. Returns whether a store that is
  /// under way could still land somewhere that others see: then a grace period must pass before the operation returns.
  ///
  /// Private frames that nobody pinned are seen by nobody after this, and are reused only a grace period later; so only
  /// writable entries to files, devices, otherwise referenced frames and frames that a slot may hold count.
  func zap(_ range: Range<VirtualAddress>, in mapping: VMATree.Mapping) -> Bool {
    var lingering = false
    var batch = DeferredBatch()
    table.forEachEntry(in: range) { span in
      if !span.isWhole { return split(span, in: mapping) }
      let pte = span.ptep.update { $0.mapsHuge ? .empty : nil }
      guard pte.mapsHuge else { return .again }
      YieldPoint.unmapBetweenClearAndFree.reach()
      if drop(pte, at: span.range.lowerBound, isHuge: true, in: mapping, &batch) { lingering = true }
      return .next
    } _: { address, ptep in
      let pte = ptep.clear()
      guard pte.isMapped else {
        if !pte.isEmpty, dropUnmapped(pte) { lingering = true }
        return
      }
      YieldPoint.unmapBetweenClearAndFree.reach()
      if drop(pte, at: address, in: mapping, &batch) { lingering = true }
    }
    batch.flush(to: memory.deferred)
    return lingering
  }

  /// The same for what lies in `range` of mappings that were taken away, which is where entries are.
  func zap(_ range: Range<VirtualAddress>, of old: borrowing VMATree.Replaced) -> Bool {
    var lingering = false
    old.forEach { mapping in
      let part = mapping.value.range.clamped(to: range)
      if !part.isEmpty, zap(part, in: mapping) { lingering = true }
    }
    return lingering
  }

  /// Gives up what an entry that was just taken from the table held. Returns whether stores through it may linger.
  ///
  /// - Parameter isHuge: whether it mapped 2 MiB, from `address` on.
  func drop(
    _ pte: PTE, at address: VirtualAddress, isHuge: Bool = false, in mapping: VMATree.Mapping,
    _ batch: inout DeferredBatch
  ) -> Bool {
    guard let frame = normalFrame(pte, at: address, in: mapping) else { return pte.isWritable }
    if pte.isDirty, !pte.isAnonymous { frame.set(Frame.dirtyBit) }
    if isHuge { frame.removeHugeMapping() } else { frame.removeMapping() }
    // ORDERING [change-then-count]: the entry is gone, the references are looked at after.
    //
    // ORDERING [first-slot-pin]: a pin in a slot can only be seen a grace period later. To look at the slots now would
    // not do: a pin that read the entry may store its slot after that look, and then see a store by the entry land in its page
    // although this returned. But where the entry is never slot-pinned there is no such pin, and comes none: who would pin the frame
    // changes the entry first, which is gone; and nobody else ever had it, because a fork changes the entry too.
    let folio = frames.frame(pte.folioPFN)
    let isInSlots = engine.mayHoldUncounted(pte)
    let lingering = pte.isWritable && (!pte.isAnonymous || folio.references > 1 || isInSlots)
    batch.add(.frame(pte.folioPFN), for: memory.deferred)
    return lingering
  }

  /// What every operation that took entries away or write-protected them ends with, holding no lock: the grace period that is this
  /// library's TLB shootdown, one for the whole operation, and the deferred frees if many have gathered.
  func settle(storesMayLinger: Bool) {
    if storesMayLinger { RCU.synchronize() }
    memory.deferred.drainIfFull()
  }
}
