/// 2 MiB frames become ordinary ones again (`split_huge_page`), where all that is left of them is mapped page by page in one
/// place: so that pages can be reclaimed by themselves, and memory that a partial unmap left behind comes back.
///
///     break-up, holding the mmap lock for writing        walkers inside a section
///     1. mappings are sealed, the entries of the parts
///        become migration entries                        faults wait for the lock
///     2. a grace period                                  pins by the old entries are counted or in a slot
///     3. the counts are looked at: all references are
///        those of the entries; if not, they come back
///     4. each part gets counts of its own, unused parts
///        are freed, the entries come back without the
///        mark                                            these count the part alone
extension AddressSpace {
  /// Which 2 MiB frames are broken up.
  enum BreakUp {
    /// Those that a range shows any part of, whole ones too: their pages are wanted one by one.
    case all
    /// Those of which some pages are mapped no more: for the memory that they keep (the deferred split of Linux).
    case leftovers
  }

  /// Breaks up 2 MiB frames of private memory that `range` shows, as far as nobody else has them. Returns whether one was.
  ///
  /// Costs two grace periods where there are any.
  @discardableResult
  func breakUpHugeFrames(_ which: BreakUp = .all, in range: Range<VirtualAddress>) -> Bool {
    let wide = range.lowerBound.hugeStart..<min(range.upperBound.hugeCeiling, .limit)
    // References that only wait for a grace period would look like somebody's.
    memory.deferred.reclaim()
    let freed = mmapLock.writing { () -> Bool in
      var sealed: [VMATree.Mapping] = []
      mappings.forEach(in: wide) { mapping in
        // ORDERING [lock-then-validate]: sealed before any entry is looked at.
        mapping.value.setState(.sealed)
        sealed.append(mapping)
      }
      defer { for mapping in sealed { mapping.value.setState(.live) } }
      return breakUpLocked(which, in: wide, of: sealed, around: range)
    }
    memory.deferred.drainIfFull()
    return freed
  }

  /// Whether a range shows 2 MiB frames of private memory, whole or in parts. Under the mmap lock.
  func showsHugeFrames(_ range: Range<VirtualAddress>) -> Bool {
    var found = false
    table.forEachNode(in: range) { span in
      let pte = span.ptep.load()
      if pte.mapsHuge, pte.isAnonymous { found = true }
      return found ? .stop : .next
    } _: { _, node, indices in
      found = indices.contains { index in
        let pte = node[index].load()
        return pte.isMapped && pte.isAnonymous && pte.isHuge
      }
      return !found
    }
    return found
  }

  private func breakUpLocked(
    _ which: BreakUp, in wide: Range<VirtualAddress>, of mappings: [VMATree.Mapping],
    around range: Range<VirtualAddress>
  ) -> Bool {
    // By the first frame of each: where its parts are mapped.
    var parts: [PFN: [(ptep: PTEPointer, pte: PTE)]] = [:]
    for mapping in mappings {
      table.forEachEntry(in: mapping.value.range.clamped(to: wide)) { span in
        let pte = span.ptep.waitUntilUnlocked()
        guard pte.mapsHuge else { return .again }
        let isWanted = which == .all && pte.isAnonymous && span.range.overlaps(range)
        return isWanted && frames.frame(pte.pfn).references == 1 ? split(span, in: mapping) : .next
      } _: { _, ptep in
        let pte = ptep.waitUntilUnlocked()
        guard pte.isMapped, pte.isAnonymous, pte.isHuge else { return }
        parts[pte.folioPFN, default: []].append((ptep, pte))
      }
    }
    // Who has no more references than entries here may be had; looked at again when nobody can come by the entries.
    parts = parts.filter { first, places in
      frames.frame(first).references == places.count && (which == .all || places.count < Page.pagesPerHuge)
    }
    if parts.isEmpty { return false }
    for (_, places) in parts {
      for (ptep, pte) in places { _ = ptep.update { _ in PTE(.migration, payload: pte.pfn.rawValue) } }
    }
    YieldPoint.breakUpBetweenTakeAndLook.reach()
    RCU.synchronize()
    // ORDERING [change-then-count], [slot-then-leave]: the entries were taken away, a grace period has passed.
    let slots = PinSlotSnapshot()
    var any = false
    for (first, places) in parts {
      let folio = frames.frame(first)
      let unused = slots.holds(folio) ? nil : frames.breakUp(first, users: places.map(\.pte.pfn))
      let isAlone = unused != nil
      if let unused {
        for pfn in unused { memory.discardFrame(pfn) }
        any = true
      }
      for (ptep, pte) in places { ptep.store(isAlone ? pte.without(PTELayout.huge) : pte) }
    }
    return any
  }
}
