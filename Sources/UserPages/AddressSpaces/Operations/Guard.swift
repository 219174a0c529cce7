/// Guard markers: entries that no fault fills (`MADV_GUARD_INSTALL`, `MADV_GUARD_REMOVE`).
///
/// A marker maps nothing. So each test of an entry refuses it, and the access or pin comes to a fault, which fails:
///
///     installation, holding the mmap lock for reading     a fault, a pin, an access
///     1. an entry gives way to a marker, in one step      a fault that has read the old entry cannot lock it any more, and starts again
///     2. what the entry held goes, as for `dontNeed`      a pin looks again, or is in a slot before its section ends
///     3. a grace period (`Teardown`)                      accesses by the old entry have ended
///
/// ORDERING [lock-then-validate]: the fault locks the entry that it has read, or finds the marker. No fault has an
/// entry unlocked between its look and its store. So no page is there after step 1, and the mapping needs no write
/// lock.
extension AddressSpace {
  /// Puts a marker in each entry of a range, and gives up what was there.
  ///
  /// - Throws: why a part may hold no markers, or `outOfMemory` for a table node. The parts before have theirs.
  func installGuards(in range: Range<VirtualAddress>) throws(PageError) {
    // Before any marker: a fork looks at shared mappings for markers only if it is set. The mmap lock orders the two.
    mayHoldGuards.store(true, ordering: .relaxed)
    var failure: PageError?
    do throws(PageError) {
      try changeParts(of: range, unless: { $0.refusesDiscard ?? $0.refusesPageOut ?? $0.refusesGuards }) {
        part, mapping, lock, teardown in
        if failure != nil { return }
        // As a fault would: a fork copies the entries of mappings that have one.
        prepareAnonVMA(of: mapping, lock)
        do throws(PageError) { try installGuards(in: part, of: mapping, lock, &teardown) } catch { failure = error }
      }
    } catch { throw failure ?? error }
    if let failure { throw failure }
  }

  /// Takes markers away. Other entries stay as they are.
  func removeGuards(in range: Range<VirtualAddress>) throws(PageError) {
    try changeParts(of: range, unless: \.refusesGuards) { part, _, lock, _ in
      var cursor = table.cursor(over: part, lock)
      while let step = cursor.next() {
        guard case .base(let run) = step else { continue }
        for (_, ptep) in run { _ = ptep.update { $0.isGuard ? .empty : nil } }
      }
    }
  }

  private func installGuards(
    in part: Range<VirtualAddress>, of mapping: VMATree.Mapping, _ lock: borrowing MmapReader,
    _ teardown: inout Teardown
  ) throws(PageError) {
    var spare = SpareNodes(memory)
    var next = part.lowerBound
    while next < part.upperBound {
      let span = next.hugeRange.clamped(to: part)
      switch table.walk(to: next, using: &spare, lock) {
      case .needsNode: try spare.add()
      // A marker is of a page. 2 MiB that lie across the end of the part are split, and their other pages stay.
      case .huge: zap(span, in: mapping, lock, &teardown)
      case .base:
        // The mmap lock keeps the node.
        installGuards(in: span, lock) { pte, address in giveUp(pte, at: address, in: mapping, &teardown) }
        next = span.upperBound
      }
    }
  }

  /// Puts markers in the entries of a part of a node.
  private func installGuards(
    in span: Range<VirtualAddress>, _ lock: borrowing MmapReader, _ giveUp: (PTE, VirtualAddress) -> Void
  ) {
    revokingTranslations(of: span) {
      var cursor = table.cursor(over: span, lock)
      while case .base(let run) = cursor.next() {
        for (address, ptep) in run {
          giveUp(ptep.update { $0.isGuard ? nil : .guardMarker }, address)
        }
      }
    }
  }

  /// Gives a child the markers of a mapping if it faults the pages anew. The mapping is write-locked.
  func copyGuards(
    of mapping: VMATree.Mapping, to child: AddressSpace, _ writer: borrowing MmapWriter,
    _ childWriter: borrowing MmapWriter
  ) throws(PageError) {
    var spare = SpareNodes(memory)
    var cursor = table.cursor(over: mapping.value.range, writer)
    while let step = cursor.next() {
      guard case .base(let run) = step else { continue }
      for (index, (_, ptep)) in zip(run.indices, run) where ptep.waitUntilUnlocked().isGuard {
        try spare.reserve()
        child.makeNode(for: run.start, using: &spare, childWriter)[index].storeUnseen(.guardMarker)
      }
    }
  }
}

extension VMA.Attributes {
  /// Why memory may not hold guard markers: it is mapped by number, in part or in whole (`VM_SPECIAL`).
  var refusesGuards: PageError? { isPFN || isMixed ? .invalidArgument : nil }
}
