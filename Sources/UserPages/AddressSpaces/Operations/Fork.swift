extension AddressSpace {
  /// A child with the same mappings: private memory is copied on write, shared memory is shared (`fork(2)`'s `dup_mmap`).
  ///
  /// Anonymous pages that are pinned are copied into the child at once and stay the parent's own, so that a device never
  /// writes to a page that the parent has left behind. Mappings advised `dontFork` are not inherited, those advised
  /// `wipeOnFork` without their pages. Locks are not inherited. File mappings without private pages are not copied: the child faults them anew.
  ///
  /// - Precondition: not called inside a read-side section.
  /// - Throws: `outOfMemory` if a pinned page cannot be copied or a frame has too many references, after reclaim. Pages may have become
  ///   copy-on-write.
  /// - Complexity: O(pages of private memory, and of mappings by number).
  public func fork() throws(PageError) -> AddressSpace {
    var hasDrained = false
    while true {
      do throws(PageError) {
        return try attemptFork()
      } catch {
        guard error == .outOfMemory else { throw error }
        // Under no lock. First, once: release deferred objects, which may hold memory. Then reclaim.
        let hasReleased = hasDrained ? false : memory.deferred.drain()
        hasDrained = true
        guard hasReleased || memory.reclaimForAllocation() > 0 else { throw error }
      }
    }
  }

  private func attemptFork() throws(PageError) -> AddressSpace {
    let child = AddressSpace(memory, engine: engine)
    var failure: PageError?
    mmapLock.writing { writer in
      var inherited: [VMATree.Mapping] = []
      mappings.forEach(in: VirtualAddress(0)..<VirtualAddress.limit, writer.reader) { mapping in
        if mapping.value.attributes.dontFork { return }
        inherited.append(mapping)
        // ORDERING [lock-then-validate]: sealed before the fork looks at any entry, so that no fault makes a page writable again
        // that it has write-protected.
        mapping.value.setState(.sealed)
      }
      defer { for mapping in inherited { mapping.value.setState(.live) } }

      var isWriteProtected = false
      var shared = SharedParts()
      for mapping in inherited where mapping.value.sharesPagesOnFork {
        if writeProtect(mapping.value.range, writer, &shared) { isWriteProtected = true }
      }
      YieldPoint.forkBetweenProtectAndCopy.reach()
      // Inside the lock, unlike a teardown's grace period: until every store through a writable entry has landed, no page may
      // be copied or shared, and the faults that would copy one wait for this lock. No thread waits for the lock inside a
      // section, so this cannot deadlock. Other operations on this space wait for one grace period.
      if isWriteProtected { RCU.synchronize() }
      // ORDERING [slot-then-leave]: the entries were changed, a grace period has passed, the slots are looked at now.
      let slots = PinSlotSnapshot(of: frames)

      // The child's lock too: a backing that moves pages learns of the child, and must not look at it before it is whole.
      child.mmapLock.writing { childWriter in
        do throws(PageError) {
          try inherit(inherited, by: child, slots, shared, writer, childWriter)
        } catch {
          failure = error
          for mapping in inherited where mapping.value.sharesPagesOnFork { keepPinned(mapping, slots, shared, writer) }
        }
      }
    }
    YieldPoint.forkBetweenUnlockAndReturn.reach()
    memory.deferred.drainIfFull()
    if let failure {
      child.exit()
      throw failure
    }
    return child
  }

  /// Gives the child the mappings, and the entries that it cannot fault anew.
  private func inherit(
    _ inherited: [VMATree.Mapping], by child: AddressSpace, _ slots: PinSlotSnapshot, _ shared: SharedParts,
    _ writer: borrowing MmapWriter, _ childWriter: borrowing MmapWriter
  ) throws(PageError) {
    var failure: PageError?
    var old = VMATree.Replaced()
    child.mayHoldGuards.store(mayHoldGuards.load(ordering: .relaxed), ordering: .relaxed)
    for mapping in inherited {
      // ORDERING [lock-then-validate]: in one turn of the lock with the entries, so that a backing that moves a page finds the
      // child.
      mapping.value.attributes.users?.add(child)
      var attributes = mapping.value.attributes
      attributes.isLocked = false
      child.mappings.insert(
        mapping.value.range, attributes, firstPage: mapping.value.firstPage, replacing: &old,
        childWriter)
      // After a failure the other pages stay as they are: in no other space, and copied on the next store unless they are pinned.
      guard failure == nil else { continue }
      guard copiesEntries(of: mapping, writer) else {
        if mayHoldGuards.load(ordering: .relaxed), mapping.value.attributes.isShared {
          copyGuards(of: mapping, to: child, writer, childWriter)
        }
        continue
      }
      do throws(PageError) { try copyEntries(of: mapping, to: child, slots, shared, writer, childWriter) } catch {
        failure = error
      }
    }
    child.mappings.publish(childWriter)
    // The child's merged mappings were never published, so no thread holds one. They take the deferred queue because it is the only
    // way to free a mapping.
    var teardown = Teardown(memory.deferred)
    child.mappings.retire(old, &teardown)
    teardown.finishWithoutGracePeriod()
    if let failure { throw failure }
  }

  /// Whether the child needs the parent's entries. It faults the others anew (`vma_needs_copy`).
  private func copiesEntries(of mapping: VMATree.Mapping, _ writer: borrowing MmapWriter) -> Bool {
    let kind = mapping.value.attributes.kind
    if kind.isPFN || kind.isMixed { return true }
    guard mapping.value.sharesPagesOnFork else { return false }
    var cursor = table.cursor(over: mapping.value.range, writer)
    while let step = cursor.next() {
      switch step {
      case .huge(let span):
        let pte = span.ptep.waitUntilUnlocked()
        guard pte.mapsHuge else {
          cursor.lookAgain()
          continue
        }
        // Linux inherits a huge page of zeroes, too.
        if pte.isAnonymous || mapping.value.attributes.isAnonymous { return true }
      case .base(let run):
        for (_, ptep) in run {
          // A fault may hold the one private page for a moment before it finds the mapping sealed.
          let pte = ptep.waitUntilUnlocked()
          if pte.isMapped ? pte.isAnonymous : pte.isSwapped || pte.isGuard { return true }
        }
      }
    }
    return false
  }

  /// Makes the anonymous pages of a range read-only and no longer exclusive. Returns whether any was exclusive: then stores and
  /// pins by the old entries may be under way. Adds parts of 2 MiB frames that were not exclusive to `shared`.
  private func writeProtect(
    _ range: Range<VirtualAddress>, _ writer: borrowing MmapWriter, _ shared: inout SharedParts
  ) -> Bool {
    var isWriteProtected = false
    func writeProtected(_ pte: PTE) -> PTE {
      pte.without(PTELayout.writable, PTELayout.neverSlotPinned).with(PTELayout.cowShared)
    }
    var cursor = table.cursor(over: range, writer)
    while let step = cursor.next() {
      switch step {
      case .huge(let span):
        let before = revokingTranslations(of: span.range) {
          span.ptep.update { $0.mapsHuge && $0.isExclusive ? writeProtected($0) : nil }
        }
        guard before.mapsHuge else {
          cursor.lookAgain()
          continue
        }
        if before.isExclusive { isWriteProtected = true }
      case .base(let run):
        revokingTranslations(of: run.range) {
          for (address, ptep) in run {
            let before = ptep.update { $0.isMapped && $0.isExclusive ? writeProtected($0) : nil }
            guard before.isMapped, before.isAnonymous else { continue }
            if before.isExclusive { isWriteProtected = true } else if before.isHuge { shared.append(address) }
          }
        }
      }
    }
    return isWriteProtected
  }

  /// Gives the child the parent's entries of a mapping. A reverse map may know the child, and waits for its lock.
  private func copyEntries(
    of mapping: VMATree.Mapping, to child: AddressSpace, _ slots: PinSlotSnapshot, _ shared: SharedParts,
    _ writer: borrowing MmapWriter, _ childWriter: borrowing MmapWriter
  ) throws(PageError) {
    var spare = SpareNodes(memory)
    var cursor = table.cursor(over: mapping.value.range, writer)
    while let step = cursor.next() {
      switch step {
      case .huge(let span):
        if try !copyHuge(span, of: mapping, to: child, slots, using: &spare, writer, childWriter) {
          cursor.lookAgain()
        }
      case .base(let run):
        try copyRun(run, of: mapping, to: child, slots, shared, using: &spare, childWriter)
      }
    }
  }

  /// Gives the child the entries of one node of the lowest level.
  ///
  /// A function of its own, into which `copyEntry` is inlined: the loop is most of a fork's time, and keeps its values in registers.
  @inline(never)
  private func copyRun(
    _ run: TableCursor.BaseRun, of mapping: VMATree.Mapping, to child: AddressSpace, _ slots: PinSlotSnapshot,
    _ shared: SharedParts, using spare: inout SpareNodes, _ childWriter: borrowing MmapWriter
  ) throws(PageError) {
    var childNode: TableNode?
    for (address, ptep) in run {
      // A fault may hold an entry for a moment before it finds the mapping sealed.
      let pte = ptep.waitUntilUnlocked()
      guard pte.isMapped || pte.isSwapped || pte.isGuard else { continue }
      let node = childNode ?? child.makeNode(for: run.start, using: &spare, childWriter)
      childNode = node
      let target = node[TableNode.index(of: address, level: 1)]
      try copyEntry(pte, ptep, at: address, of: mapping, to: target, slots, shared)
    }
  }

  /// Gives the child one entry of the lowest level.
  @inline(__always)
  private func copyEntry(
    _ pte: PTE, _ ptep: PTEPointer, at address: VirtualAddress, of mapping: VMATree.Mapping, to target: PTEPointer,
    _ slots: PinSlotSnapshot, _ shared: SharedParts
  ) throws(PageError) {
    guard pte.isMapped else { return target.storeUnseen(pte.isGuard ? pte : shareSwapped(pte, at: ptep)) }
    guard isNormal(pte, at: address, in: mapping) else { return target.store(pte) }
    guard pte.isAnonymous else {
      try retainForEntry(pte)
      return target.store(pte)
    }
    // ORDERING [change-then-count]: the entry was write-protected and a grace period has passed; the pins are looked at now. A
    // pin that is not seen here will find the entry write-protected at its second look. Only an exclusive page can have been
    // pinned, so a page that is pinned was exclusive until this fork, and becomes so again. A part of 2 MiB is no proof: the
    // pins of a 2 MiB frame are counted as a whole.
    guard isPinned(frames.frame(pte.folioPFN), slots), !(pte.isHuge && shared.contains(address)) else {
      try retainForEntry(pte)
      return target.storeUnseen(pte)
    }
    // Not a plain store: a fault may hold the entry until it finds the mapping sealed, and would undo it.
    defer { _ = ptep.update { _ in exclusiveAgain(pte, mapping: mapping) } }
    target.storeUnseen(try copyPinned(pte, mapping: mapping))
  }

  /// Gives the child an entry that maps 2 MiB. If the frame is pinned, splits the entry, so that each page is copied by itself.
  /// Returns false if there is no such entry any more.
  private func copyHuge(
    _ span: TableCursor.HugeSpan, of mapping: VMATree.Mapping, to child: AddressSpace, _ slots: PinSlotSnapshot,
    using spare: inout SpareNodes, _ writer: borrowing MmapWriter, _ childWriter: borrowing MmapWriter
  ) throws(PageError) -> Bool {
    let pte = span.ptep.waitUntilUnlocked()
    guard pte.mapsHuge else { return false }
    if isNormal(pte, at: span.range.lowerBound, in: mapping) {
      let folio = frames.frame(pte.pfn)
      // ORDERING [change-then-count]: as for a page.
      if pte.isAnonymous, isPinned(folio, slots) {
        split(span, in: mapping, writer.reader)
        return false
      }
      guard folio.retain(Frame.oneReference), folio.addHugeMapping() else { throw refused(folio) }
    }
    // The child has no program yet: no fault has linked a node there.
    child.makeHugeEntry(for: span.range.lowerBound, using: &spare, childWriter)?.store(pte)
    return true
  }

  /// Counts one more entry of the lowest level that maps what `pte` does.
  ///
  /// - Throws: `outOfMemory` if the frame has too many references.
  @inline(__always)
  private func retainForEntry(_ pte: PTE) throws(PageError) {
    let folio = frames.frame(pte.folioPFN)
    guard folio.retain(Frame.oneReference) else { throw refused(folio) }
    frames.frame(pte.pfn).addMapping()
  }

  /// Gives back a reference that, or whose mapping, was one too many. Returns the fork's error.
  @inline(never)
  private func refused(_ folio: Frame) -> PageError {
    memory.put(folio, Frame.oneReference)
    return .outOfMemory
  }

  /// Makes the pinned pages of a mapping exclusive again after a fork that failed: a copy would part pin and program. The child
  /// holds none of them: a page that is not exclusive cannot be pinned.
  private func keepPinned(
    _ mapping: VMATree.Mapping, _ slots: PinSlotSnapshot, _ shared: SharedParts, _ writer: borrowing MmapWriter
  ) {
    func restored(_ pte: PTE, _ address: VirtualAddress) -> PTE? {
      guard pte.isMapped, pte.isAnonymous, !pte.isExclusive, !(pte.isHuge && shared.contains(address)) else {
        return nil
      }
      return isPinned(frames.frame(pte.folioPFN), slots) ? exclusiveAgain(pte, mapping: mapping) : nil
    }
    var cursor = table.cursor(over: mapping.value.range, writer)
    while let step = cursor.next() {
      switch step {
      case .huge(let span):
        let before = span.ptep.update { $0.mapsHuge ? restored($0, span.range.lowerBound) : nil }
        if !before.mapsHuge { cursor.lookAgain() }
      case .base(let run):
        for (address, ptep) in run { _ = ptep.update { restored($0, address) } }
      }
    }
  }

  /// Whether a frame is pinned, by its counts or by a slot. Asked when the entry was changed and a grace period has passed.
  @inline(__always)
  private func isPinned(_ frame: Frame, _ slots: PinSlotSnapshot) -> Bool {
    frame.pins > 0 || slots.isPinned(frame)
  }

  private func exclusiveAgain(_ pte: PTE, mapping: VMATree.Mapping) -> PTE {
    let exclusive = pte.without(PTELayout.cowShared)
    let writable = mapping.value.attributes.protection.contains(.write) && !pte.isProtNone
    return writable ? exclusive.with(PTELayout.writable) : exclusive
  }

  /// A child's own copy of a page that is pinned in the parent.
  @inline(never)
  private func copyPinned(_ pte: PTE, mapping: VMATree.Mapping) throws(PageError) -> PTE {
    let pfn = try memory.allocateFrame(.underLock, movable: true)
    frames.bytes(of: pfn).copy(page: frames.bytes(of: pte.pfn))
    frames.frame(pfn).begin(anonymous: true, mapped: true)
    events.add(1, to: Counters.copyIndex)
    YieldPoint.forkBetweenCopyAndRestore.reach()
    return exclusiveAgain(pte.mapping(pfn).without(PTELayout.huge), mapping: mapping)
  }
}
