import Synchronization

/// The taking down of nodes that have no mapping left in their span (`free_pgtables`).
extension PageTable {
  /// Unlinks the nodes on the way to `range` that lie in `vacant` with their whole span. Hands them to `deferFree`.
  ///
  /// No mapping is left in `vacant`, of which `range` is a part, and the entries of `range` were emptied. So an
  /// unlinked node holds no live entry. None can be installed either: a fault that is under way finds its mapping
  /// detached ([lock-then-validate]).
  ///
  /// - Parameters:
  ///   - limit: nodes that map so many bytes or more stay.
  ///   - proof: the mmap lock, held for writing where `vacant` lies.
  func unlinkNodes(
    in range: Range<VirtualAddress>, vacant: Range<VirtualAddress>, below limit: UInt64 = .max,
    _ proof: borrowing some NodeWriter & ~Escapable, _ deferFree: (DeferredWord) -> Void
  ) {
    unlinkNodes(under: root, level: Self.levels, in: range, vacant: vacant, below: limit, deferFree)
  }

  private func unlinkNodes(
    under node: TableNode, level: Int, in range: Range<VirtualAddress>, vacant: Range<VirtualAddress>,
    below limit: UInt64, _ deferFree: (DeferredWord) -> Void
  ) {
    var (node, level) = (node, level)
    while true {
      let span = TableNode.entrySpan(level: level)
      let first = range.lowerBound.rawValue & ~(span - 1)
      if range.upperBound.rawValue > first + span { break }
      // Most ranges lie below one entry of each node on the way.
      guard let child = unlinkedOrChild(of: node, level, at: first, vacant: vacant, below: limit, deferFree), level > 2
      else { return }
      (node, level) = (child, level - 1)
    }
    let span = TableNode.entrySpan(level: level)
    var start = range.lowerBound.rawValue & ~(span - 1)
    while start < range.upperBound.rawValue {
      defer { start += span }
      guard let child = unlinkedOrChild(of: node, level, at: start, vacant: vacant, below: limit, deferFree), level > 2
      else { continue }
      let low = max(range.lowerBound, VirtualAddress(start))
      let high = min(range.upperBound, VirtualAddress(start + span))
      unlinkNodes(under: child, level: level - 1, in: low..<high, vacant: vacant, below: limit, deferFree)
    }
  }

  /// Unlinks the node behind the entry for `start`, if its whole span is vacant. Returns the node if it stays.
  @inline(__always)
  private func unlinkedOrChild(
    of node: TableNode, _ level: Int, at start: UInt64, vacant: Range<VirtualAddress>, below limit: UInt64,
    _ deferFree: (DeferredWord) -> Void
  ) -> TableNode? {
    let span = TableNode.entrySpan(level: level)
    let ptep = node[TableNode.index(of: VirtualAddress(start), level: level)]
    guard let child = TableNode(link: ptep.load()) else { return nil }
    guard span < limit, start >= vacant.lowerBound.rawValue, start + span <= vacant.upperBound.rawValue else {
      return child
    }
    // ORDERING [link-then-look]: the link goes first, the children are collected after.
    ptep.store(.empty)
    YieldPoint.unlinkBetweenLinkAndCollect.reach()
    collect(child, level: level - 1, deferFree)
    return nil
  }

  /// Hands an unlinked node and all nodes below it to `deferFree`. The link to it was cleared before.
  func collect(_ node: TableNode, level: Int, _ deferFree: (DeferredWord) -> Void) {
    if level > 1 {
      // ORDERING [link-then-look]: the fence stands between the link that was cleared and the look at the children.
      atomicMemoryFence(ordering: .sequentiallyConsistent)
      var index = node.firstLinked(from: 0)
      while index < TableNode.entryCount {
        if let child = TableNode(link: node[index].clear()) { collect(child, level: level - 1, deferFree) }
        index = node.firstLinked(from: index + 1)
      }
    }
    deferFree(.tablePage(node.page))
  }
}
