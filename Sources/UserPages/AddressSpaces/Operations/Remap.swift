extension AddressSpace {
  /// Moves or resizes a mapping (`mremap(2)`): in place if `newAddress` is `address`, else to exactly `newAddress`,
  /// replacing what was there. The pages move with it, pinned pages too.
  ///
  /// A range that keeps its length may hold several mappings and holes behind the first, and moves as it is (as on
  /// Linux since 6.17). The part that is left of any other range must be one mapping.
  ///
  /// If `pages` is 0, a shared mapping is duplicated: a second mapping begins with the page at `address`, the first one
  /// stays.
  ///
  /// If `unmapsOldRange` is false, the pages move and the old range stays mapped without them (`MREMAP_DONTUNMAP`).
  /// Anonymous memory reads as zero there, and a file's pages are faulted in again.
  ///
  /// A lock moves along, and where locked memory grows, the new pages are faulted in. It leaves a mapping if the
  /// pages have moved away.
  ///
  /// - Precondition: not called inside a read-side section.
  /// - Throws:
  ///   - `invalidArgument` for unaligned or overlapping ranges, an empty new one, or a private mapping to duplicate.
  ///   - `invalidArgument`, if the old range stays mapped, for other lengths, the same place or a pfn mapping.
  ///   - `notPermitted` if a mapping that would move, change its length or give way is sealed. The mappings before
  ///     it have moved.
  ///   - `badAddress` if the old range does not begin in a mapping, or is not inside one and must be.
  ///   - `badAddress` if a pfn mapping would grow.
  ///   - `outOfMemory` if there is no room.
  public func remap(
    at address: VirtualAddress, pages: Int, to newAddress: VirtualAddress, newPages: Int, unmapsOldRange: Bool = true
  ) throws(PageError) {
    guard address.isPageAligned, newAddress.isPageAligned, newPages > 0 else { throw .invalidArgument }
    guard let to = newAddress.range(pages: newPages) else {
      throw newAddress < .limit && unmapsOldRange ? .outOfMemory : .invalidArgument
    }
    if !unmapsOldRange, pages != newPages || address == newAddress { throw .invalidArgument }
    if pages == 0 { return try duplicate(at: address, to: to) }
    guard pages > 0 else { throw .invalidArgument }
    guard let from = address.range(pages: pages) else { throw address < .limit ? .invalidArgument : .badAddress }
    if address != newAddress, from.overlaps(to) { throw .invalidArgument }
    var isLocked = false
    try changeMappings(in: Self.hull(from, to)) { writer, teardown throws(PageError) in
      guard let mapping = mappings.find(address, writer.reader) else { throw .badAddress }
      if mapping.value.attributes.isSealed { throw .notPermitted }
      if newPages > pages {
        guard from.upperBound <= mapping.value.range.upperBound else { throw .badAddress }
        if mapping.value.attributes.isPFN { throw .badAddress }
        isLocked = mapping.value.attributes.isLocked
        if address == newAddress { return try growInPlace(mapping, from: from, to: to, writer, &teardown) }
        try requireUnmappable(to, writer, &teardown)
        return move(mapping, from: from, to: to, writer, &teardown)
      }
      let kept = from.lowerBound..<(from.lowerBound + (to.upperBound - to.lowerBound))
      if address != newAddress, newPages < pages, kept.upperBound > mapping.value.range.upperBound {
        throw .badAddress
      }
      let cutOff = kept.upperBound..<from.upperBound
      if !cutOff.isEmpty {
        if address != newAddress { try requireUnmappable(to, writer, &teardown) }
        do throws(PageError) { try requireUnmappable(cutOff, writer, &teardown) } catch {
          // As on Linux, what was at the new place has gone by then.
          if address != newAddress { remove(to, writer, &teardown) }
          throw error
        }
        remove(cutOff, writer, &teardown)
      }
      if address != newAddress {
        try moveEach(kept, to: to.lowerBound, unmapsOldRange: unmapsOldRange, writer, &teardown)
      }
    }
    // What fails is left to the access.
    if isLocked { try? faultIn(to.lowerBound + pages * Page.size..<to.upperBound) }
  }

  /// What lies between two ranges, and the ranges themselves.
  private static func hull(_ one: Range<VirtualAddress>, _ other: Range<VirtualAddress>) -> Range<VirtualAddress> {
    min(one.lowerBound, other.lowerBound)..<max(one.upperBound, other.upperBound)
  }

  private func duplicate(at address: VirtualAddress, to: Range<VirtualAddress>) throws(PageError) {
    // An empty range lies in another where that begins before it and ends behind it.
    if to.lowerBound < address, address < to.upperBound { throw .invalidArgument }
    // No length has said so yet. The look-up would count stripes beyond the last address.
    guard address < .limit else { throw .badAddress }
    try changeMappings(in: Self.hull(address..<address, to)) { writer, teardown throws(PageError) in
      guard let mapping = mappings.find(address, writer.reader) else { throw .badAddress }
      if mapping.value.attributes.isSealed { throw .notPermitted }
      if mapping.value.isPrivate { throw .invalidArgument }
      if mapping.value.attributes.isPFN { throw .badAddress }
      // In place there is no room: the mapping itself is there.
      if address == to.lowerBound { throw .outOfMemory }
      try requireUnmappable(to, writer, &teardown)
      let attributes = mapping.value.attributes
      let firstPage = mapping.value.backingPage(of: address)
      let anonVMA = mapping.value.anonVMA
      remove(to, writer, &teardown)
      var old = VMATree.Replaced()
      mappings.insert(
        VMA(range: to, attributes: attributes, firstPage: firstPage, anonVMA: anonVMA), replacing: &old, writer)
      mappings.publish(writer)
      mappings.retire(old, &teardown)
    }
  }

  private func growInPlace(
    _ mapping: VMATree.Mapping, from: Range<VirtualAddress>, to: Range<VirtualAddress>, _ writer: borrowing MmapWriter,
    _ teardown: inout Teardown
  ) throws(PageError) {
    guard mapping.value.range.upperBound == from.upperBound else { throw .outOfMemory }
    if let next = mappings.first(endingAbove: from.upperBound, writer.reader),
      next.value.range.lowerBound < to.upperBound
    {
      throw .outOfMemory
    }
    var old = VMATree.Replaced()
    let attributes = mapping.value.attributes
    let firstPage = mapping.value.backingPage(of: from.upperBound)
    mappings.insert(
      VMA(
        range: from.upperBound..<to.upperBound, attributes: attributes, firstPage: firstPage,
        anonVMA: mapping.value.anonVMA),
      replacing: &old, writer)
    mappings.publish(writer)
    mappings.retire(old, &teardown)
  }

  /// Moves the mappings of a range, or the parts of them that lie in it, one after the other. Holes between them are
  /// not moved: a mapping at the place that a hole would go to stays.
  private func moveEach(
    _ range: Range<VirtualAddress>, to start: VirtualAddress, unmapsOldRange: Bool, _ writer: borrowing MmapWriter,
    _ teardown: inout Teardown
  ) throws(PageError) {
    var next = range.lowerBound
    while next < range.upperBound, let mapping = mappings.first(endingAbove: next, writer.reader) {
      let piece = mapping.value.range.clamped(to: next..<range.upperBound)
      guard !piece.isEmpty else { break }
      if !unmapsOldRange, mapping.value.attributes.isPFN { throw .invalidArgument }
      if mapping.value.attributes.isSealed { throw .notPermitted }
      let start = start + (piece.lowerBound - range.lowerBound)
      let target = start..<(start + (piece.upperBound - piece.lowerBound))
      try requireUnmappable(target, writer, &teardown)
      move(mapping, from: piece, to: target, unmapsOldRange: unmapsOldRange, writer, &teardown)
      next = piece.upperBound
    }
  }

  /// Moves a part of a mapping.
  ///
  /// ORDERING [lock-then-validate]: `carve` detaches the mapping before any entry moves. If the old range stays mapped,
  /// it gets a mapping of its own when every entry has gone. So a fault there either restores its entry, which this
  /// moves, or fills an empty one.
  private func move(
    _ mapping: VMATree.Mapping, from: Range<VirtualAddress>, to: Range<VirtualAddress>, unmapsOldRange: Bool = true,
    _ writer: borrowing MmapWriter, _ teardown: inout Teardown
  ) {
    let attributes = mapping.value.attributes
    let firstPage = mapping.value.firstPage(movedFrom: from.lowerBound, to: to.lowerBound)
    let anonVMA = mapping.value.anonVMA
    var old = VMATree.Replaced()
    mappings.carve(from, replacing: &old, writer)
    mappings.carve(to, replacing: &old, writer)
    // Neither range has a mapping while entries move. A fault that finds none waits for the lock before it believes it.
    mappings.publish(writer)
    zap(to, of: old, writer.reader, &teardown)
    // A node that is left behind would keep 2 MiB entries out, those of a later mapping too.
    unlinkVacantNodes(around: to, besides: from, writer, &teardown)
    let moved = from.lowerBound..<min(from.upperBound, from.lowerBound + (to.upperBound - to.lowerBound))
    let distance = to.lowerBound - from.lowerBound
    moveEntries(of: mapping, in: moved, by: distance, writer, &teardown)
    if moved.upperBound < from.upperBound {
      zap(moved.upperBound..<from.upperBound, in: mapping, writer.reader, &teardown)
    }
    mappings.insert(
      VMA(range: to, attributes: attributes, firstPage: firstPage, anonVMA: anonVMA), replacing: &old, writer)
    if unmapsOldRange {
      mappings.publish(writer)
      // Not before the new mapping is there: its entries may be in the same nodes.
      unlinkVacantNodes(around: from, writer, &teardown)
    } else {
      // Linux moves the table of whole 2 MiB with its entries, if the new place is aligned like the old one.
      if distance % Page.hugeSize == 0 {
        table.unlinkNodes(in: from, vacant: from, writer) { teardown.deferFree($0) }
      }
      let (below, above) = rest(of: mapping, around: from, besides: to)
      // The mapping stays as it is, but loses its `anon_vma` if it has no page any more (`dontunmap_complete`).
      var sides: VMATree.MergeSides = []
      if !below.isEmpty || to.upperBound == from.lowerBound { sides.insert(.left) }
      if !above.isEmpty || to.lowerBound == from.upperBound { sides.insert(.right) }
      mappings.insert(
        VMA(
          range: from, attributes: attributes, firstPage: mapping.value.backingPage(of: from.lowerBound),
          anonVMA: below.isEmpty && above.isEmpty ? .none : anonVMA),
        mergingWith: sides, replacing: &old, writer)
      if attributes.isLocked { unlockWhole(at: from.lowerBound, replacing: &old, writer) }
      mappings.publish(writer)
    }
    mappings.retire(old, &teardown)
  }

  /// Takes the lock from the whole mapping that pages have left, as it is by now: the new one may have been merged with
  /// it. It stays apart from its neighbours, although it may match them now: Linux merges before it clears the flag
  /// (`copy_vma`, `dontunmap_complete`).
  private func unlockWhole(
    at address: VirtualAddress, replacing old: inout VMATree.Replaced, _ writer: borrowing MmapWriter
  ) {
    guard let whole = mappings.find(address, writer.reader) else { return }
    var attributes = whole.value.attributes
    attributes.isLocked = false
    let range = whole.value.range
    mappings.carve(range, replacing: &old, writer)
    mappings.insert(
      VMA(range: range, attributes: attributes, firstPage: whole.value.firstPage, anonVMA: whole.value.anonVMA),
      mergingWith: [], replacing: &old, writer)
  }

  /// What is left of a mapping on either side of `part`. The pages of `part` have moved to `target`.
  private func rest(
    of mapping: VMATree.Mapping, around part: Range<VirtualAddress>, besides target: Range<VirtualAddress>
  ) -> (below: Range<VirtualAddress>, above: Range<VirtualAddress>) {
    let whole = mapping.value.range
    let isBelow = target.upperBound <= part.lowerBound
    let below = (isBelow ? max(whole.lowerBound, target.upperBound) : whole.lowerBound)..<part.lowerBound
    let above =
      part.upperBound..<(isBelow ? whole.upperBound : max(part.upperBound, min(whole.upperBound, target.lowerBound)))
    return (below, above)
  }

  /// Moves the entries of a range by `distance` bytes (`move_page_tables`). No mapping is published at either place.
  private func moveEntries(
    of mapping: VMATree.Mapping, in range: Range<VirtualAddress>, by distance: Int, _ writer: borrowing MmapWriter,
    _ teardown: inout Teardown
  ) {
    var spare = SpareNodes(memory)
    var cursor = table.cursor(over: range, writer)
    while let step = cursor.next() {
      switch step {
      case .huge(let span):
        // Page by page if the new place is not aligned to 2 MiB, or has a node already.
        let start = span.range.lowerBound + distance
        guard span.isWhole, start == start.hugeStart, let target = makeHugeEntry(for: start, using: &spare, writer)
        else {
          split(span, in: mapping, writer.reader)
          cursor.lookAgain()
          continue
        }
        // Locked before the entry is taken: a fault of a mapping that was at the new place may link a node there.
        guard target.lock(.empty) else {
          cursor.lookAgain()
          continue
        }
        let pte = revokingTranslations(of: span.range) { span.ptep.update { $0.mapsHuge ? .empty : nil } }
        target.store(pte.mapsHuge ? pte : .empty)
        if pte.mapsHuge { teardown.expectAccess() } else { cursor.lookAgain() }
      case .base(let run):
        // Also for entries that map nothing, as on Linux: only where there is a node, 2 MiB can be collapsed.
        for index in [0, run.indices.count - 1] {
          _ = makeNode(for: run.start + index * Page.size + distance, using: &spare, writer)
        }
        revokingTranslations(of: run.range) {
          for (address, ptep) in run {
            let pte = ptep.clear()
            if pte.isEmpty { continue }
            // An access that read the entry at the old place may be under way. It acts on the frame that is now at the
            // new place.
            if pte.isMapped { teardown.expectAccess() }
            // Not a plain store. A fault of a mapping that was at the new place may hold the entry for a moment, and
            // would undo the store.
            let target = makeEntry(for: address + distance, using: &spare, writer)
            _ = target.update { _ in pte }
          }
        }
      }
    }
  }
}
