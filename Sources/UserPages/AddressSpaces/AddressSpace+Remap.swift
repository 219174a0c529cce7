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
    let result = mmapLock.writing { () -> Result<Bool, PageError> in
      guard let mapping = mappings.first(endingAbove: address), mapping.value.range.contains(address) else {
        return .failure(.badAddress)
      }
      if newPages > pages {
        guard from.upperBound <= mapping.value.range.upperBound else { return .failure(.badAddress) }
        if mapping.value.attributes.kind.isPFN { return .failure(.badAddress) }
        return address == newAddress
          ? growInPlace(mapping, from: from, to: to) : .success(move(mapping, from: from, to: to))
      }
      let kept = from.lowerBound..<(from.lowerBound + (to.upperBound - to.lowerBound))
      if address == newAddress { return .success(shrink(to: kept.upperBound..<from.upperBound)) }
      if newPages == pages { return .success(moveEach(from, to: to.lowerBound)) }
      guard kept.upperBound <= mapping.value.range.upperBound else { return .failure(.badAddress) }
      let lingering = shrink(to: kept.upperBound..<from.upperBound)
      return .success(moveEach(kept, to: to.lowerBound) || lingering)
    }
    settle(storesMayLinger: try result.get())
  }

  private func duplicate(at address: VirtualAddress, to: Range<VirtualAddress>) throws(PageError) {
    // An empty range lies in another where that begins before it and ends behind it.
    if to.lowerBound < address, address < to.upperBound { throw .invalidArgument }
    let result = mmapLock.writing { () -> Result<Bool, PageError> in
      guard let mapping = mappings.first(endingAbove: address), mapping.value.range.contains(address) else {
        return .failure(.badAddress)
      }
      if mapping.value.isPrivate { return .failure(.invalidArgument) }
      if mapping.value.attributes.kind.isPFN { return .failure(.badAddress) }
      // In place there is no room: the mapping itself is there.
      if address == to.lowerBound { return .failure(.outOfMemory) }
      let attributes = mapping.value.attributes
      let firstPage = mapping.value.backingPage(of: address)
      let lingering = removeLocked(to)
      var old = VMATree.Replaced()
      mappings.insert(to, attributes, firstPage: firstPage, replacing: &old)
      mappings.publish()
      mappings.retire(old)
      return .success(lingering)
    }
    settle(storesMayLinger: try result.get())
  }

  private func growInPlace(
    _ mapping: VMATree.Mapping, from: Range<VirtualAddress>, to: Range<VirtualAddress>
  ) -> Result<Bool, PageError> {
    guard mapping.value.range.upperBound == from.upperBound else { return .failure(.outOfMemory) }
    if let next = mappings.first(endingAbove: from.upperBound), next.value.range.lowerBound < to.upperBound {
      return .failure(.outOfMemory)
    }
    var old = VMATree.Replaced()
    let attributes = mapping.value.attributes
    let firstPage = attributes.isAnonymous ? 0 : mapping.value.backingPage(of: from.upperBound)
    mappings.insert(from.upperBound..<to.upperBound, attributes, firstPage: firstPage, replacing: &old)
    mappings.publish()
    mappings.retire(old)
    return .success(false)
  }

  private func shrink(to gone: Range<VirtualAddress>) -> Bool {
    gone.isEmpty ? false : removeLocked(gone)
  }

  /// Moves the mappings of a range, or the parts of them that lie in it, one after the other. What lies between them stays
  /// where it is, and so does what lies there at the new place.
  private func moveEach(_ range: Range<VirtualAddress>, to start: VirtualAddress) -> Bool {
    var lingering = false
    var next = range.lowerBound
    while next < range.upperBound, let mapping = mappings.first(endingAbove: next) {
      let piece = mapping.value.range.clamped(to: next..<range.upperBound)
      guard !piece.isEmpty else { break }
      let target = start + (piece.lowerBound - range.lowerBound)
      if move(mapping, from: piece, to: target..<(target + (piece.upperBound - piece.lowerBound))) { lingering = true }
      next = piece.upperBound
    }
    return lingering
  }

  private func move(_ mapping: VMATree.Mapping, from: Range<VirtualAddress>, to: Range<VirtualAddress>) -> Bool {
    let attributes = mapping.value.attributes
    let firstPage = attributes.isAnonymous ? 0 : mapping.value.backingPage(of: from.lowerBound)
    var old = VMATree.Replaced()
    mappings.carve(from, replacing: &old)
    mappings.carve(to, replacing: &old)
    // Both ranges are nobody's while entries move: a fault finds no mapping, and waits for the lock before it says so.
    mappings.publish()
    var lingering = zap(to, of: old)
    // A node that is left behind would keep 2 MiB entries out. What lies around is not vacant: entries wait there to be moved.
    if attributes.hugePages { table.unlinkNodes(in: to, vacant: to, memory: memory) }
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
      if pte.isWritable { lingering = true }
      return .next
    } _: { address, ptep in
      let pte = ptep.clear()
      guard !pte.isEmpty else { return }
      // A store that read the old place may still be under way, into the same frame.
      if pte.isMapped, pte.isWritable { lingering = true }
      // Not a plain store: a fault of a mapping that was here may hold the place for a moment, and would undo it.
      let target = makeEntry(for: to.lowerBound + (address - from.lowerBound), using: &spare)
      _ = target.update { _ in pte }
    }
    if moved.upperBound < from.upperBound, zap(moved.upperBound..<from.upperBound, in: mapping) { lingering = true }
    mappings.insert(to, attributes, firstPage: firstPage, replacing: &old)
    mappings.publish()
    // Not before the new mapping is there: its entries may be in the same nodes.
    unlinkVacantNodes(around: from)
    mappings.retire(old)
    return lingering
  }
}
