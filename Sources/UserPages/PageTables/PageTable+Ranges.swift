import Synchronization

/// Walks of ranges and the taking down of nodes, for those who hold the mmap lock or a read-side section.
extension PageTable {
  /// Calls `body` with each entry of the lowest level in `range` whose node exists, and `huge` as `forEachNode` does.
  @inline(__always)
  func forEachEntry(
    in range: Range<VirtualAddress>, huge: (HugeSpan) -> AfterHuge, _ body: (VirtualAddress, PTEPointer) -> Void
  ) {
    forEachNode(in: range, huge: huge) { start, node, indices in
      var address = start
      for index in indices {
        body(address, node[index])
        address = address + Page.size
      }
      return true
    }
  }

  /// An entry of the second-lowest level that maps 2 MiB, met by a walk of a range.
  struct HugeSpan {
    let ptep: PTEPointer
    /// All that it maps.
    let range: Range<VirtualAddress>
    /// What of it is in the range that is walked.
    let part: Range<VirtualAddress>

    var isWhole: Bool { part == range }
  }

  /// How a walk goes on after an entry that maps 2 MiB.
  enum AfterHuge {
    case next
    /// It is not what it was: look there again.
    case again
    case stop
  }

  /// Calls `body` with each node of the lowest level that exists on the way through `range`, the address at which it comes in
  /// and the indices that belong to the range, until `body` returns false; and `huge` with each entry that maps 2 MiB.
  @inline(__always)
  func forEachNode(
    in range: Range<VirtualAddress>, huge: (HugeSpan) -> AfterHuge,
    _ body: (VirtualAddress, TableNode, Range<Int>) -> Bool
  ) {
    var address = range.lowerBound
    while address < range.upperBound {
      let stop = min(VirtualAddress((address.rawValue | UInt64(Page.hugeSize - 1)) &+ 1), range.upperBound)
      guard let node = lowestNode(for: address) else {
        if let ptep = hugePTEP(for: address) {
          let pte = ptep.waitUntilUnlocked()
          if TableNode(link: pte) != nil { continue }
          if pte.mapsHuge {
            switch huge(HugeSpan(ptep: ptep, range: address.hugeRange, part: address..<stop)) {
            case .next: break
            case .again: continue
            case .stop: return
            }
          }
          address = stop
        } else {
          address = nextNode(after: address)
        }
        continue
      }
      let first = TableNode.index(of: address, level: 1)
      if !body(address, node, first..<first + (stop - address) / Page.size) { return }
      address = stop
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
  func unlinkNodes(
    in range: Range<VirtualAddress>, vacant: Range<VirtualAddress>, _ deferFree: (DeferredWord) -> Void
  ) {
    unlinkNodes(below: root, level: Self.levels, in: range, vacant: vacant, deferFree)
  }

  private func unlinkNodes(
    below node: TableNode, level: Int, in range: Range<VirtualAddress>, vacant: Range<VirtualAddress>,
    _ deferFree: (DeferredWord) -> Void
  ) {
    let span = TableNode.entrySpan(level: level)
    var start = range.lowerBound.rawValue & ~(span - 1)
    while start < range.upperBound.rawValue {
      defer { start += span }
      let ptep = node[TableNode.index(of: VirtualAddress(start), level: level)]
      guard let child = TableNode(link: ptep.load()) else { continue }
      if start >= vacant.lowerBound.rawValue, start + span <= vacant.upperBound.rawValue {
        // ORDERING [link-then-look]: the link goes first, the children are collected after.
        ptep.store(.empty)
        YieldPoint.unlinkBetweenLinkAndCollect.reach()
        collect(child, level: level - 1, deferFree)
      } else if level > 2 {
        let low = max(range.lowerBound, VirtualAddress(start))
        let high = min(range.upperBound, VirtualAddress(start + span))
        unlinkNodes(below: child, level: level - 1, in: low..<high, vacant: vacant, deferFree)
      }
    }
  }

  /// Gives an unlinked node and all below it to `deferFree`. The link to it was emptied before.
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
