/// 2 MiB frames become base frames again (`split_huge_page`), if the entries of one space are their only holders. Then
/// pages can be reclaimed one by one, and memory that a partial unmap left behind comes back.
///
///     break-up, holding the mmap lock for writing        pins inside a section
///     1. mappings are write-locked, the entries of the parts
///        become migration entries                        faults wait for the lock
///     2. a grace period                                  pins by the old entries are counted or in a slot
///     3. the counts are looked at: if references are not
///        all of entries, the entries come back
///     4. each part gets counts of its own, unused parts
///        are freed, the entries come back without the
///        huge bit                                        the next ones count the part alone
///
/// A part that is all zeroes is freed as well, and its entry shows the zero page (`try_to_map_unused_to_zeropage`).
/// Locked memory keeps its frames. A frame that was freed lazily leaves the mark to its parts, unless a store or a
/// device has made any of them dirty since.
///
/// ORDERING [swap-then-copy]: the entries were taken away, and a grace period has passed before the bytes are looked
/// at. No thread holds the frame. So every store has landed, and none can come.
extension AddressSpace {
  /// Which 2 MiB frames are broken up.
  enum BreakUp {
    /// Every frame that a range shows any part of, whole ones too: the caller needs their pages one by one.
    case all
    /// Frames that one mapping shows, inside the range, in part only. The others can be taken as they are
    /// (`madvise_folio_pte_batch`).
    case partly
    /// Frames of which some pages are mapped no more: their memory is wanted (`deferred_split_scan`).
    case leftovers
  }

  /// Breaks up the 2 MiB frames of private memory that `range` shows and that have no other holders. Returns whether
  /// there was one.
  ///
  /// Costs two grace periods if there are any.
  @discardableResult
  func breakUpHugeFrames(_ which: BreakUp = .all, in range: Range<VirtualAddress>) -> Bool {
    breakUp(which, in: range).any
  }

  /// Breaks up the 2 MiB frames of private memory that the space shows in part only, if they have no other holders.
  /// Returns how many frames are free now that were not. No contents are lost, so this needs no swap file. Looks at all
  /// entries of the space: `PartlyMappedFrames` says whether there is anything to find.
  func breakUpLeftovers() -> Int {
    guard memory.allocator.partlyMapped.isAny else { return 0 }
    let everything = VirtualAddress(0)..<VirtualAddress.limit
    guard mmapLock.reading({ reader in showsHugeFrames(everything, reader, .leftovers) }) else { return 0 }
    return breakUp(.leftovers, in: everything).freed
  }

  private func breakUp(_ which: BreakUp, in range: Range<VirtualAddress>) -> (any: Bool, freed: Int) {
    let wide = range.lowerBound.hugeStart..<min(range.upperBound.hugeCeiling, .limit)
    // A reference that waits in the deferred queue would look like a holder's.
    memory.deferred.reclaim()
    let result = mmapLock.writing(wide, in: mappings) { writer in
      var writeLocked: [VMATree.Mapping] = []
      mappings.forEach(in: wide, writer.reader) { mapping in
        // ORDERING [lock-then-validate]: write-locked before the break-up looks at any entry.
        mapping.value.setState(.writeLocked)
        writeLocked.append(mapping)
      }
      defer { for mapping in writeLocked { mapping.value.setState(.live) } }
      return breakUp(which, in: wide, of: writeLocked, around: range, writer)
    }
    memory.deferred.drainIfFull()
    return result
  }

  /// Breaks up the 2 MiB frames that mapped parts of a range show in part only. The caller is about to take advice for
  /// these pages alone. A frame that is held, or that others map, stays whole.
  ///
  /// - Parameter refusal: as for `changeParts`. Parts from the first refusal on are left alone.
  func breakUpPartlyShown(
    in range: Range<VirtualAddress>, unless refusal: (VMA.Attributes) -> PageError?
  ) {
    let cut = mmapLock.reading(range) { reader in
      parts(of: range, reader).parts.prefix { refusal($0.1.value.attributes) == nil }.map { $0.0 }
        .filter { showsHugeFrames($0, reader, .partly) }
    }
    for part in cut { breakUpHugeFrames(.partly, in: part) }
  }

  /// The first frame of the 2 MiB of private memory that the entries of a node show, each a page.
  ///
  /// Nil if the run is no whole node, or if they show anything else.
  func hugeFrame(shownBy run: TableCursor.BaseRun) -> PFN? {
    guard run.indices.count == Page.pagesPerHuge else { return nil }
    let first = run.node[0].load().pfn
    for index in run.indices {
      let pte = run.node[index].load()
      guard pte.isMapped, pte.isAnonymous, pte.isHuge, pte.pfn == first + index, pte.folioPFN == first else {
        return nil
      }
    }
    return first
  }

  /// Whether a range of a mapping shows 2 MiB frames of private memory, of which `which` is wanted.
  func showsHugeFrames(
    _ range: Range<VirtualAddress>, _ lock: borrowing MmapReader, _ which: BreakUp = .all
  ) -> Bool {
    var cursor = table.cursor(over: range, lock)
    while let step = cursor.next() {
      switch step {
      case .huge(let span):
        let pte = span.ptep.load()
        let isWanted = which == .all || (which == .partly && !span.isWhole)
        if isWanted, pte.mapsHuge, pte.isAnonymous { return true }
      case .base(let run):
        if which != .all, hugeFrame(shownBy: run) != nil { continue }
        for (_, ptep) in run {
          let pte = ptep.load()
          if pte.isMapped, pte.isAnonymous, pte.isHuge { return true }
        }
      }
    }
    return false
  }

  private func breakUp(
    _ which: BreakUp, in wide: Range<VirtualAddress>, of mappings: [VMATree.Mapping],
    around range: Range<VirtualAddress>, _ writer: borrowing MmapWriter
  ) -> (any: Bool, freed: Int) {
    let parts = partsOfHugeFrames(which, in: wide, of: mappings, around: range, writer)
    if parts.isEmpty { return (false, 0) }
    YieldPoint.breakUpBetweenLookAndTake.reach()
    for entries in parts.values { replaceByMigrations(entries) }
    YieldPoint.breakUpBetweenTakeAndLook.reach()
    RCU.synchronize()
    // ORDERING [change-then-count], [slot-then-leave]: the entries were taken away, a grace period has passed.
    let slots = PinSlotSnapshot(of: frames)
    var (any, freed) = (false, 0)
    for (first, entries) in parts {
      guard let count = breakUp(first, entries, slots) else { continue }
      any = true
      freed += count
    }
    return (any, freed)
  }

  /// An entry that maps a part of a 2 MiB frame.
  private struct PartEntry {
    let address: VirtualAddress
    let ptep: PTEPointer
    let pte: PTE
    /// Whether the zero page may take its place. In a mapping of a backing that would be the backing's page, which
    /// goes when the backing changes. A locked mapping keeps what it has.
    let mayBeZeroes: Bool
  }

  /// The entries that map parts of 2 MiB frames, by the first frame, of the frames that may be broken up. Entries of 2
  /// MiB are split first.
  private func partsOfHugeFrames(
    _ which: BreakUp, in wide: Range<VirtualAddress>, of mappings: [VMATree.Mapping],
    around range: Range<VirtualAddress>, _ writer: borrowing MmapWriter
  ) -> [PFN: [PartEntry]] {
    var parts: [PFN: [PartEntry]] = [:]
    for mapping in mappings {
      let asked = mapping.value.range.clamped(to: range)
      var cursor = table.cursor(over: mapping.value.range.clamped(to: wide), writer)
      while let step = cursor.next() {
        switch step {
        case .huge(let span):
          let pte = span.ptep.waitUntilUnlocked()
          guard pte.mapsHuge else {
            cursor.lookAgain()
            continue
          }
          let isWanted = which == .all || (which == .partly && !asked.contains(span.range))
          if isWanted, pte.isAnonymous, span.range.overlaps(range), frames.frame(pte.pfn).references == 1 {
            split(span, in: mapping, writer.reader)
            cursor.lookAgain()
          }
        case .base(let run):
          if which == .partly, asked.contains(run.range), hugeFrame(shownBy: run) != nil { continue }
          for (address, ptep) in run {
            let pte = ptep.waitUntilUnlocked()
            guard pte.isMapped, pte.isAnonymous, pte.isHuge else { continue }
            let attributes = mapping.value.attributes
            parts[pte.folioPFN, default: []].append(
              PartEntry(
                address: address, ptep: ptep, pte: pte, mayBeZeroes: attributes.isAnonymous && !attributes.isLocked))
          }
        }
      }
    }
    // A frame with more references than entries here has other holders. The look that counts is the one after the grace
    // period.
    return parts.filter { first, entries in
      frames.frame(first).references == entries.count
        && (which == .leftovers
          ? entries.count < Page.pagesPerHuge : entries.contains { range.contains($0.address) })
    }
  }

  /// Step 1.
  private func replaceByMigrations(_ entries: [PartEntry]) {
    for entry in entries {
      _ = revokingTranslation(at: entry.address) {
        entry.ptep.update { _ in PTE(.migration, payload: entry.pte.pfn.rawValue) }
      }
    }
  }

  /// Steps 3 and 4: breaks a frame up if `entries` are its only holders. Gives the entries back. Returns how many
  /// frames are free now that were not, or nil if the frame stays whole.
  private func breakUp(_ first: PFN, _ entries: [PartEntry], _ slots: PinSlotSnapshot) -> Int? {
    let folio = frames.frame(first)
    let unused = slots.holds(folio) ? nil : frames.breakUp(first, users: entries.map(\.pte.pfn))
    let isAlone = unused != nil
    var freed = 0
    if let unused {
      memory.allocator.partlyMapped.remove(folio)
      // No hold is left, and a device's holder marks the page dirty before it ends its own.
      frames.leaveLazyFree(
        of: first, to: entries.map(\.pte.pfn), entriesAreClean: entries.allSatisfy { !$0.pte.isDirty })
      for pfn in unused { memory.discardFrame(pfn) }
      freed = unused.count
    }
    for entry in entries {
      let pte = entry.pte
      if isAlone, entry.mayBeZeroes, frames.bytes(of: pte.pfn).firstOther(than: 0) == nil {
        let zeroes = PTE(mapping: memory.zeroPage).asSpecial
        entry.ptep.store(pte.isProtNone ? zeroes.withoutAccess : zeroes)
        frames.frame(pte.pfn).removeMapping()
        memory.put(frames.frame(pte.pfn), Frame.oneReference)
        freed += 1
      } else {
        entry.ptep.store(isAlone ? pte.without(PTELayout.huge) : pte)
      }
    }
    return isAlone ? freed : nil
  }
}
