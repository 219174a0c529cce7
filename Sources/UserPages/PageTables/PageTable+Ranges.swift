/// Walks of ranges and the taking down of nodes, for those who hold the mmap lock or a read-side section.
extension PageTable {
  /// Calls `body` with each entry of the lowest level in `range` whose node exists.
  @inline(__always)
  func forEachEntry(in range: Range<VirtualAddress>, _ body: (VirtualAddress, PageTableEntry) -> Void) {
    var address = range.lowerBound
    while address < range.upperBound {
      guard let node = lowestNode(for: address) else {
        address = nextNode(after: address)
        continue
      }
      let end = VirtualAddress((address.rawValue | UInt64(Page.hugeSize - 1)) &+ 1)
      let stop = min(end, range.upperBound)
      var index = TableNode.index(of: address, level: 1)
      while address < stop {
        body(address, node[index])
        index += 1
        address = address + Page.size
      }
    }
  }

  /// Where the span of the highest missing node on the way to `address` ends: the next place worth looking at.
  private func nextNode(after address: VirtualAddress) -> VirtualAddress {
    var node = root
    for level in stride(from: Self.levels, to: 1, by: -1) {
      guard let next = TableNode(link: node[TableNode.index(of: address, level: level)].load()) else {
        return VirtualAddress((address.rawValue | (TableNode.entrySpan(level: level) - 1)) &+ 1)
      }
      node = next
    }
    return VirtualAddress((address.rawValue | UInt64(Page.hugeSize - 1)) &+ 1)
  }

  /// Unlinks the nodes on the way to `range` whose whole span lies in `vacant`, and leaves them for a grace period.
  ///
  /// The caller holds the mmap lock for writing, no mapping is left in `vacant` (of which `range` is a part), and the
  /// entries of `range` were emptied; so an unlinked node holds no live entry, and none can be installed: a fault that is
  /// still under way finds its mapping gone ([lock-then-validate]).
  func unlinkNodes(in range: Range<VirtualAddress>, vacant: Range<VirtualAddress>, memory: PhysicalMemory) {
    unlinkNodes(below: root, level: Self.levels, in: range, vacant: vacant, memory: memory)
  }

  private func unlinkNodes(
    below node: TableNode, level: Int, in range: Range<VirtualAddress>, vacant: Range<VirtualAddress>,
    memory: PhysicalMemory
  ) {
    let span = TableNode.entrySpan(level: level)
    var start = range.lowerBound.rawValue & ~(span - 1)
    while start < range.upperBound.rawValue {
      defer { start += span }
      let entry = node[TableNode.index(of: VirtualAddress(start), level: level)]
      guard let child = TableNode(link: entry.load()) else { continue }
      if start >= vacant.lowerBound.rawValue, start + span <= vacant.upperBound.rawValue {
        // ORDERING [link-then-look]: the link goes first, the children are collected after.
        entry.store(.empty)
        YieldPoint.unlinkBetweenLinkAndCollect.reach()
        collect(child, level: level - 1, memory: memory)
      } else if level > 2 {
        let low = max(range.lowerBound, VirtualAddress(start))
        let high = min(range.upperBound, VirtualAddress(start + span))
        unlinkNodes(below: child, level: level - 1, in: low..<high, vacant: vacant, memory: memory)
      }
    }
  }

  /// Leaves an unlinked node and all below it for a grace period. The link to it was emptied before.
  func collect(_ node: TableNode, level: Int, memory: PhysicalMemory) {
    if level > 1 {
      for index in 0..<TableNode.entryCount where !node[index].load().isEmpty {
        if let child = TableNode(link: node[index].take()) { collect(child, level: level - 1, memory: memory) }
      }
    }
    memory.deferred.enqueue(.tablePage(node.page))
  }
}
