/// From one entry of 2 MiB to 512 of a page each (`__split_huge_pmd`).
///
/// What is mapped and what is allowed stay as they are, so no thread waits for another: a walker that read the old entry
/// finds the same bytes as one that reads the new ones, and a pin that counted before its second look holds the same frame.
/// Of a 2 MiB frame each of the new entries holds one reference; the frame itself stays in one piece.
extension AddressSpace {
  /// Splits the entry of a fault's site, whose mapping must still be in force.
  ///
  /// ORDERING [lock-then-validate]: as `install`.
  func split(_ site: FaultSite, _ resources: inout FaultResources) -> FaultOutcome {
    guard let node = resources.nodes.take() else { return .needsNode }
    guard site.ptep.lock(site.pte) else {
      resources.nodes.giveBack(node)
      return .again
    }
    guard site.mapping.value.isLive else {
      site.ptep.store(site.pte)
      resources.nodes.giveBack(node)
      return .sealed
    }
    fill(node, with: site.pte, at: site.address, in: site.mapping)
    // ORDERING [node-publish]: the entries come before the link.
    site.ptep.store(node.link)
    return .again
  }

  /// Splits an entry that a cursor met, if it still maps 2 MiB. Under the mmap lock, for reading or writing. The cursor looks
  /// again in either case.
  func split(_ span: TableCursor.HugeSpan, in mapping: VMATree.Mapping) {
    let node = TableNode(page: memory.tablePages.allocate())
    let pte = span.ptep.waitUntilUnlocked()
    if pte.mapsHuge, span.ptep.lock(pte) {
      fill(node, with: pte, at: span.range.lowerBound, in: mapping)
      // ORDERING [node-publish]: the entries come before the link.
      span.ptep.store(node.link)
    } else {
      memory.tablePages.free(node.page)
    }
  }

  /// The entries of a node that is not linked yet, made from a locked one of 2 MiB.
  private func fill(
    _ node: TableNode, with pte: PTE, at start: VirtualAddress, in mapping: VMATree.Mapping
  ) {
    if isZeroPage(pte) {
      // All pages of zeroes are one.
      for index in 0..<Page.pagesPerHuge { node[index].storeUnseen(pte.without(PTELayout.huge)) }
      return
    }
    let isNormal = isNormal(pte, at: start, in: mapping)
    let part = isNormal ? pte : pte.without(PTELayout.huge)
    if isNormal { frames.countAsParts(pte.pfn) }
    for index in 0..<Page.pagesPerHuge { node[index].storeUnseen(part.mapping(pte.pfn + index)) }
  }
}
