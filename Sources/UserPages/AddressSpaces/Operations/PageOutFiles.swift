/// The part of `MADV_PAGEOUT` that is about pages of memory files: it looks for those that the space alone maps, once.
/// The file does the rest, when no lock of the space is held.
extension AddressSpace {
  /// The most pages that share a grace period.
  private static let fileBatchSize = 512

  /// Pages out the memory files' pages of a range that are mapped once and not pinned. If the swap file is full, the
  /// rest stays.
  func pageOutFiles(_ range: Range<VirtualAddress>) {
    let files = mmapLock.reading(range) { reader in filePages(of: range, reader) }
    var kept: [any BackingUser] = []
    // A space may end with the last reference here: when no lock is held.
    defer { withExtendedLifetime(kept) {} }
    if files.isEmpty { return }
    let holders = PinSlotSnapshot(of: frames)
    for (file, pages) in files {
      var rest = pages[...]
      var wasFull = false
      while !rest.isEmpty {
        let batch = rest.prefix(Self.fileBatchSize)
        let looked = file.swapOut(batch, sparing: holders, keepingIn: &kept).looked
        rest = rest.dropFirst(looked)
        if looked == batch.count { continue }
        // Twice at the same page: other threads take every slot that comes free.
        if looked == 0, wasFull { return }
        wasFull = true
        // A page that came back while it was being written has its slot until the write is over.
        memory.swap.finishWrites()
        if !memory.swap.hasRoom { return }
      }
    }
  }

  /// The pages of each mapped part, up to the first part that refuses.
  private func filePages(
    of range: Range<VirtualAddress>, _ lock: borrowing MmapReader
  ) -> [(file: PageCacheFile, pages: [Int])] {
    var found: [(file: PageCacheFile, pages: [Int])] = []
    for (part, mapping) in parts(of: range, lock).parts {
      if mapping.value.attributes.refusesPageOut != nil { break }
      guard let file = mapping.value.attributes.backing as? PageCacheFile, file.isEvictable else { continue }
      var pages: [Int] = []
      var cursor = table.cursor(over: part, lock)
      while let step = cursor.next() {
        switch step {
        case .huge(let span):
          guard let isAlone = isAlone(span, in: mapping) else {
            cursor.lookAgain()
            continue
          }
          let first = mapping.value.backingPage(of: span.part.lowerBound)
          let count = (span.part.upperBound - span.part.lowerBound) / Page.size
          if isAlone { pages += first..<first + count }
        case .base(let run):
          for (address, ptep) in run where isAlone(ptep, at: address, in: mapping) {
            pages.append(mapping.value.backingPage(of: address))
          }
        }
      }
      if !pages.isEmpty { found.append((file, pages)) }
    }
    return found
  }

  /// Whether an entry alone shows a page of a file.
  private func isAlone(_ ptep: PTEPointer, at address: VirtualAddress, in mapping: VMATree.Mapping) -> Bool {
    // In one section with the entry, so that the frame is the entry's still.
    RCU.read { _ in
      let pte = ptep.waitUntilUnlocked()
      guard pte.isMapped, !pte.isAnonymous, let frame = normalFrame(pte, at: address, in: mapping) else { return false }
      return frame.mapCount == 1 && frames.frame(pte.folioPFN).hugeMapCount == 0
    }
  }

  /// Whether an entry of 2 MiB alone shows a file's frame. Nil if it maps no 2 MiB any more.
  private func isAlone(_ span: TableCursor.HugeSpan, in mapping: VMATree.Mapping) -> Bool? {
    RCU.read { _ in
      let pte = span.ptep.waitUntilUnlocked()
      guard pte.mapsHuge else { return nil }
      let isNormal = normalFrame(pte, at: span.range.lowerBound, in: mapping) != nil
      return isNormal && !pte.isAnonymous && frames.mappings(of: pte.pfn, upTo: 2) == 1
    }
  }
}
