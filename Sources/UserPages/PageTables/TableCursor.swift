/// A cursor over what a table maps in a range of addresses, in ascending order.
///
///     var cursor = table.cursor(over: range, lock)
///     while let step = cursor.next() {
///       switch step {
///       case .huge(let span): ...                               one entry that maps 2 MiB
///       case .base(let run): for (address, ptep) in run { ... } the entries of one node of the lowest level
///       }
///     }
///
/// Addresses without a node are skipped. A cursor cannot outlive the lock or section that lent it, and so is a guard
/// itself.
struct TableCursor: ~Escapable, NodeGuard {
  enum Step {
    case huge(HugeSpan)
    case base(BaseRun)
  }

  private let table: PageTable
  private let end: VirtualAddress
  /// Where the last step began, and where the next one begins.
  private var current: VirtualAddress
  private var following: VirtualAddress

  @_lifetime(copy proof)
  fileprivate init(
    _ table: PageTable, _ range: Range<VirtualAddress>, _ proof: some NodeGuard & ~Escapable
  ) {
    self.table = table
    end = range.upperBound
    current = range.lowerBound
    following = range.lowerBound
  }

  /// The next step, or nil at the end of the range. Waits for an entry that maps 2 MiB until it is unlocked.
  @inline(__always)
  mutating func next() -> Step? {
    while following < end {
      current = following
      guard let above = table.hugePTEP(for: current, self) else {
        following = table.firstAddress(beyondMissingNodeAt: current)
        continue
      }
      let stop = min(VirtualAddress((current.rawValue | UInt64(Page.hugeSize - 1)) &+ 1), end)
      if let node = TableNode(link: above.load()) {
        following = stop
        let first = TableNode.index(of: current, level: 1)
        return .base(BaseRun(start: current, node: node, indices: first..<first + (stop - current) / Page.size))
      }
      let pte = above.waitUntilUnlocked()
      // A node was linked meanwhile.
      if TableNode(link: pte) != nil { continue }
      following = stop
      if pte.mapsHuge { return .huge(HugeSpan(ptep: above, range: current.hugeRange, part: current..<stop)) }
    }
    return nil
  }

  /// Makes `next` visit the addresses of the last step again: its user has changed the entry to a link, or lost a race
  /// for it.
  mutating func lookAgain() { following = current }
}

extension TableCursor {
  /// An entry of the second-lowest level that maps 2 MiB.
  struct HugeSpan {
    let ptep: PTEPointer
    /// The addresses that the entry maps.
    let range: Range<VirtualAddress>
    /// Those of them that lie in the cursor's range.
    let part: Range<VirtualAddress>

    var isWhole: Bool { part == range }
  }

  /// The entries of one node of the lowest level that lie in the cursor's range, each with its address.
  struct BaseRun: Sequence {
    /// The address of the first entry.
    let start: VirtualAddress
    let node: TableNode
    let indices: Range<Int>

    /// The addresses of the run.
    var range: Range<VirtualAddress> { start..<start + indices.count * Page.size }

    struct Iterator: IteratorProtocol {
      fileprivate var address: VirtualAddress
      fileprivate let node: TableNode
      fileprivate var index: Int
      fileprivate let end: Int

      @inline(__always)
      mutating func next() -> (address: VirtualAddress, ptep: PTEPointer)? {
        guard index < end else { return nil }
        defer {
          address = address + Page.size
          index += 1
        }
        return (address, node[index])
      }
    }

    @inline(__always)
    func makeIterator() -> Iterator {
      Iterator(address: start, node: node, index: indices.lowerBound, end: indices.upperBound)
    }
  }
}

extension PageTable {
  /// A cursor over the entries that exist in `range`.
  @_lifetime(copy proof)
  func cursor(
    over range: Range<VirtualAddress>, _ proof: some NodeGuard & ~Escapable
  ) -> TableCursor {
    TableCursor(self, range, proof)
  }

  /// The first address behind the span of the missing node that keeps the descent for `address` from the second-lowest
  /// level.
  fileprivate func firstAddress(beyondMissingNodeAt address: VirtualAddress) -> VirtualAddress {
    var node = root
    for level in stride(from: Self.levels, to: 2, by: -1) {
      guard let next = TableNode(link: node[TableNode.index(of: address, level: level)].load()) else {
        return VirtualAddress((address.rawValue | (TableNode.entrySpan(level: level) - 1)) &+ 1)
      }
      node = next
    }
    // The node was linked meanwhile: the descent succeeds now.
    return address
  }
}
