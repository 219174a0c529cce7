extension AddressSpace {
  /// Moves or resizes a mapping (`mremap(2)`): in place where `newAddress` is `address`, else to exactly `newAddress`,
  /// replacing what was there. The pages move with it, pins and all.
  ///
  /// A range that keeps its length may hold several mappings and holes behind the first, and moves as it is, as since
  /// Linux 6.17; else what is left of it must be one mapping.
  ///
  /// No pages at all (`pages` is 0) of a shared mapping are a second mapping of the same, which begins with the page at
  /// `address`; the first one stays.
  ///
  /// - Throws: `invalidArgument` for unaligned or overlapping ranges, an empty new one, or a private mapping to duplicate;
  ///   `badAddress` where the old range does not begin in a mapping or is not inside one and must be, or a pfn mapping would
  ///   grow; `outOfMemory` where there is no room.
  public func remap(
    at address: VirtualAddress, pages: Int, to newAddress: VirtualAddress, newPages: Int
  ) throws(PageError) {
    guard address.isPageAligned, newAddress.isPageAligned, newPages > 0 else { throw .invalidArgument }
    guard let to = newAddress.range(pages: newPages) else {
      throw newAddress < .limit ? .outOfMemory : .invalidArgument
    }
    if pages == 0 { return try duplicate(at: address, to: to) }
    guard pages > 0 else { throw .invalidArgument }
    guard let from = address.range(pages: pages) else { throw address < .limit ? .invalidArgument : .badAddress }
    if address != newAddress, from.overlaps(to) { throw .invalidArgument }
    try changeMappings { teardown throws(PageError) in
      guard let mapping = mappings.first(endingAbove: address), mapping.value.range.contains(address) else {
        throw .badAddress
      }
      if newPages > pages {
        guard from.upperBound <= mapping.value.range.upperBound else { throw .badAddress }
        if mapping.value.attributes.kind.isPFN { throw .badAddress }
        if address == newAddress { return try growInPlace(mapping, from: from, to: to, &teardown) }
        return move(mapping, from: from, to: to, &teardown)
      }
      let kept = from.lowerBound..<(from.lowerBound + (to.upperBound - to.lowerBound))
      if address != newAddress, newPages < pages, kept.upperBound > mapping.value.range.upperBound {
        throw .badAddress
      }
      let cutOff = kept.upperBound..<from.upperBound
      if !cutOff.isEmpty { remove(cutOff, &teardown) }
      if address != newAddress { moveEach(kept, to: to.lowerBound, &teardown) }
    }
  }

  private func duplicate(at address: VirtualAddress, to: Range<VirtualAddress>) throws(PageError) {
    // An empty range lies in another where that begins before it and ends behind it.
    if to.lowerBound < address, address < to.upperBound { throw .invalidArgument }
    try changeMappings { teardown throws(PageError) in
      guard let mapping = mappings.first(endingAbove: address), mapping.value.range.contains(address) else {
        throw .badAddress
      }
      if mapping.value.isPrivate { throw .invalidArgument }
      if mapping.value.attributes.kind.isPFN { throw .badAddress }
      // In place there is no room: the mapping itself is there.
      if address == to.lowerBound { throw .outOfMemory }
      let attributes = mapping.value.attributes
      let firstPage = mapping.value.backingPage(of: address)
      remove(to, &teardown)
      var old = VMATree.Replaced()
      mappings.insert(to, attributes, firstPage: firstPage, replacing: &old)
      mappings.publish()
      mappings.retire(old, &teardown)
    }
  }

  private func growInPlace(
    _ mapping: VMATree.Mapping, from: Range<VirtualAddress>, to: Range<VirtualAddress>, _ teardown: inout Teardown
  ) throws(PageError) {
    guard mapping.value.range.upperBound == from.upperBound else { throw .outOfMemory }
    if let next = mappings.first(endingAbove: from.upperBound), next.value.range.lowerBound < to.upperBound {
      throw .outOfMemory
    }
    var old = VMATree.Replaced()
    let attributes = mapping.value.attributes
    let firstPage = attributes.isAnonymous ? 0 : mapping.value.backingPage(of: from.upperBound)
    mappings.insert(from.upperBound..<to.upperBound, attributes, firstPage: firstPage, replacing: &old)
    mappings.publish()
    mappings.retire(old, &teardown)
  }

  /// Moves the mappings of a range, or the parts of them that lie in it, one after the other. What lies between them stays
  /// where it is, and so does what lies there at the new place.
  private func moveEach(_ range: Range<VirtualAddress>, to start: VirtualAddress, _ teardown: inout Teardown) {
    var next = range.lowerBound
    while next < range.upperBound, let mapping = mappings.first(endingAbove: next) {
      let piece = mapping.value.range.clamped(to: next..<range.upperBound)
      guard !piece.isEmpty else { break }
      let target = start + (piece.lowerBound - range.lowerBound)
      move(mapping, from: piece, to: target..<(target + (piece.upperBound - piece.lowerBound)), &teardown)
      next = piece.upperBound
    }
  }

  private func move(
    _ mapping: VMATree.Mapping, from: Range<VirtualAddress>, to: Range<VirtualAddress>, _ teardown: inout Teardown
  ) {
    let attributes = mapping.value.attributes
    let firstPage = attributes.isAnonymous ? 0 : mapping.value.backingPage(of: from.lowerBound)
    var old = VMATree.Replaced()
    mappings.carve(from, replacing: &old)
    mappings.carve(to, replacing: &old)
    // Both ranges are nobody's while entries move: a fault finds no mapping, and waits for the lock before it says so.
    mappings.publish()
    zap(to, of: old, &teardown)
    // A node that is left behind would keep 2 MiB entries out. What lies around is not vacant: entries wait there to be moved.
    if attributes.hugePages { table.unlinkNodes(in: to, vacant: to) { teardown.deferFree($0) } }
    let moved = from.lowerBound..<min(from.upperBound, from.lowerBound + (to.upperBound - to.lowerBound))
    var spare = SpareNodes(memory)
    table.forEachEntry(in: moved) { span in
      // Page by page where the new place is not aligned so, or has a node already.
      let start = to.lowerBound + (span.range.lowerBound - from.lowerBound)
      guard span.isWhole, start == start.hugeStart, let target = makeHugeEntry(for: start, using: &spare) else {
        return split(span, in: mapping)
      }
      // Locked before the entry is on its way: a fault of a mapping that was there may link a node.
      guard target.lock(.empty) else { return .again }
      let pte = span.ptep.update { $0.mapsHuge ? .empty : nil }
      target.store(pte.mapsHuge ? pte : .empty)
      guard pte.mapsHuge else { return .again }
      teardown.expectAccess()
      return .next
    } _: { address, ptep in
      let pte = ptep.clear()
      guard !pte.isEmpty else { return teardown.meetEmptyEntry() }
      // An access that read the entry at the old place may be under way, to the frame that is stored to by way of the new one.
      if pte.isMapped { teardown.expectAccess() }
      // Not a plain store: a fault of a mapping that was here may hold the place for a moment, and would undo it.
      let target = makeEntry(for: to.lowerBound + (address - from.lowerBound), using: &spare)
      _ = target.update { _ in pte }
    }
    if moved.upperBound < from.upperBound { zap(moved.upperBound..<from.upperBound, in: mapping, &teardown) }
    mappings.insert(to, attributes, firstPage: firstPage, replacing: &old)
    mappings.publish()
    // Not before the new mapping is there: its entries may be in the same nodes.
    unlinkVacantNodes(around: from, &teardown)
    mappings.retire(old, &teardown)
  }
}
