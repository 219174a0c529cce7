/// From one entry of 2 MiB to 512 of a page each (`__split_huge_pmd`).
///
/// What is mapped and what is allowed stay as they are, so no thread waits for another. A walk that read the old entry
/// finds the same bytes as one that reads the new entries. A pin that counted before its second look holds the same
/// frame. Each of the new entries holds one reference on a 2 MiB frame. The frame itself stays in one piece.
extension AddressSpace {
  /// Splits an entry that a cursor met, if it still maps 2 MiB. The cursor looks again in either case.
  func split(_ span: TableCursor.HugeSpan, in mapping: VMATree.Mapping, _ lock: borrowing MmapReader) {
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

  /// Fills a node that no other thread sees yet with the entries that a locked entry of 2 MiB stands for.
  func fill(
    _ node: TableNode, with pte: PTE, at start: VirtualAddress, in mapping: VMATree.Mapping
  ) {
    if isZeroPage(pte) {
      // One frame is all pages of zeroes.
      for index in 0..<Page.pagesPerHuge { node[index].storeUnseen(pte.without(PTELayout.huge)) }
      return
    }
    let isNormal = isNormal(pte, at: start, in: mapping)
    let part = isNormal ? pte : pte.without(PTELayout.huge)
    if isNormal { frames.countAsParts(pte.pfn) }
    for index in 0..<Page.pagesPerHuge { node[index].storeUnseen(part.mapping(pte.pfn + index)) }
  }
}
