import CPlatform
import Synchronization

/// A table of four levels from virtual pages to frames.
///
/// A descent takes no lock. A node is reachable only through its parent's entry. It is unlinked when no mapping is left
/// in its span, and freed a grace period later. So a descent takes a `NodeGuard`, and meets no freed memory.
///
/// Entries are changed one at a time, each under its own lock (the busy encoding). Two faults on neighbouring pages
/// write to no common line but the table's own.
@frozen @usableFromInline
struct PageTable: Sendable {
  static let levels = 4

  /// The node of the highest level. It is never unlinked.
  @usableFromInline let root: TableNode

  init(root: TableNode) { self.root = root }

  /// The entry of the lowest level for `address`, or nil if its node does not exist or one entry above maps 2 MiB.
  ///
  /// `leaf(for:_:)` finds the entry at either level in one descent.
  ///
  /// ORDERING [node-publish]: loads of links acquire at least, and pair with the link's compare-and-swap in
  /// `makeNodes`. A new node is all zeroes before it is linked.
  ///
  /// ORDERING [lock-then-validate]: here they are sequentially consistent. An operation sets a mapping's state and then
  /// looks for entries. A fault links a node, locks an entry in it and then looks at the state. An operation that
  /// missed the node would miss the entry.
  @inlinable @inline(__always)
  func ptep(
    for address: VirtualAddress, _ proof: some NodeGuard & ~Escapable
  ) -> PTEPointer? {
    lowestNode(for: address, proof)?[TableNode.index(of: address, level: 1)]
  }

  /// The node of the lowest level for `address`, if it exists.
  @inlinable @inline(__always)
  func lowestNode(
    for address: VirtualAddress, _ proof: some NodeGuard & ~Escapable
  ) -> TableNode? {
    guard let third = TableNode(link: root[TableNode.index(of: address, level: 4)].load()),
      let second = TableNode(link: third[TableNode.index(of: address, level: 3)].load())
    else { return nil }
    return TableNode(link: second[TableNode.index(of: address, level: 2)].load())
  }

  /// The entry of the second-lowest level for `address` (`pmd_offset`), or nil if its node does not exist. The entry is
  /// empty, a link to a node of the lowest level, or one that maps 2 MiB.
  func hugePTEP(
    for address: VirtualAddress, _ proof: some NodeGuard & ~Escapable
  ) -> PTEPointer? {
    guard let third = TableNode(link: root[TableNode.index(of: address, level: 4)].load()),
      let second = TableNode(link: third[TableNode.index(of: address, level: 3)].load())
    else { return nil }
    return second[TableNode.index(of: address, level: 2)]
  }

  /// Where a walk ends that links the nodes it misses.
  enum WalkEnd {
    /// At an entry of the lowest level.
    case base(PTEPointer)
    /// At an entry of the second-lowest level that linked no node when the walk read it. Empty only if the caller
    /// passed `wantsHuge`.
    case huge(PTEPointer)
    /// A node is missing, and `spare` is empty.
    case needsNode
  }

  /// Walks to the entry for `address`, and links nodes from `spare` on the way (`pte_alloc`).
  ///
  /// - Parameter wantsHuge: whether the walk ends at an empty entry of the second-lowest level instead of linking a
  ///   node there.
  @inline(__always)
  func walk(
    to address: VirtualAddress, wantsHuge: Bool = false, using spare: inout SpareNodes,
    _ proof: some NodeGuard & ~Escapable
  ) -> WalkEnd {
    if let ptep = ptep(for: address, proof) { return .base(ptep) }
    return makeNodes(to: address, wantsHuge: wantsHuge, using: &spare)
  }

  /// ORDERING [link-then-look]: the walk links a child into a node, then looks at the link to that node again. An
  /// unlinking thread clears the link to a node first, and collects its children after. So there are two cases. Either
  /// the unlinking thread collects the new child. Or this walk sees that the parent was unlinked, unlinks the child and
  /// starts again from the root.
  @inline(never)
  private func makeNodes(to address: VirtualAddress, wantsHuge: Bool, using spare: inout SpareNodes) -> WalkEnd {
    restart: while true {
      var node = root
      var above: (ptep: PTEPointer, link: PTE)?
      for level in stride(from: Self.levels, to: 1, by: -1) {
        let ptep = node[TableNode.index(of: address, level: level)]
        var link = ptep.load()
        if TableNode(link: link) == nil {
          if !link.isEmpty || (wantsHuge && level == 2) { return .huge(ptep) }
          guard let fresh = spare.take() else { return .needsNode }
          YieldPoint.nodeBeforeLink.reach()
          // ORDERING [node-publish]: the zeroes come before the link.
          if ptep.replace(.empty, with: fresh.link) {
            spare.haveBeenLinked = true
            YieldPoint.nodeBetweenLinkAndLook.reach()
            if let above, above.ptep.load() != above.link {
              // Another thread has unlinked the parent. If it did not collect the new child, this walk unlinks the
              // child. Another walk may have linked nodes below it, so it is retired, not reused.
              if ptep.replace(fresh.link, with: .empty) { spare.retire(fresh, level: level - 1, of: self) }
              continue restart
            }
          } else {
            spare.giveBack(fresh)
          }
          link = ptep.load()
        }
        guard let next = TableNode(link: link) else { continue restart }
        above = (ptep, link)
        node = next
      }
      return .base(node[TableNode.index(of: address, level: 1)])
    }
  }
}

/// Proof that no node which a descent meets is freed meanwhile. It is a read-side section, the mmap lock held either
/// way, or a cursor, which one of them lends.
///
/// Nodes are unlinked under the mmap lock held for writing, and freed a grace period later.
@usableFromInline
protocol NodeGuard: ~Escapable {}

extension RCU.Section: NodeGuard {}

/// Proof that the calling thread holds the mmap lock for writing where it unlinks nodes.
protocol NodeWriter: NodeGuard, ~Escapable {}

/// Zeroed nodes that are in no table yet. They are allocated outside of the read-side section that may link them:
/// sections do not allocate.
///
/// If the process has no memory for a node, an operation that has changed nothing yet fails with `outOfMemory`
/// (`pte_alloc`). It is a fault, an insertion, guard markers or a fork. Two cannot fail half way. A split of 2 MiB
/// serves an unmap or a protection that has changed other entries. A remap would have to move entries back. They end
/// the process (`addOrEnd`, `AddressSpace.split`). Linux lays a node aside for each huge entry, so that its splits need
/// none (`pgtable_trans_huge_deposit`). Here that would be 4 KiB for each 2 MiB, against an error that a 64-bit process
/// meets only by its own limits.
struct SpareNodes: ~Copyable {
  private var nodes: [TableNode] = []
  /// Whether a walk has linked one of them.
  fileprivate(set) var haveBeenLinked = false
  // Not retained: every fault would write the machine's reference count, a line that all threads share. The address
  // space keeps the machine.
  private let memory: Unmanaged<PhysicalMemory>

  init(_ memory: PhysicalMemory) { self.memory = .passUnretained(memory) }

  deinit {
    for node in nodes { memory._withUnsafeGuaranteedRef { $0.tablePages.free(node.page) } }
  }

  /// Allocates one more. Not inside a read-side section.
  ///
  /// - Throws: `outOfMemory` if the process lacks the memory.
  mutating func add() throws(PageError) {
    let page = memory._withUnsafeGuaranteedRef { memory in
      memory.allocationFailures.isNext() ? nil : memory.tablePages.allocateIfPossible()
    }
    guard let page else { throw .outOfMemory }
    nodes.append(TableNode(page: page))
  }

  /// Allocates what one walk may link, as far as it is not here.
  ///
  /// - Throws: as `add`.
  mutating func reserve() throws(PageError) { while nodes.count < PageTable.levels - 1 { try add() } }

  /// As `add`, for an operation that could not be undone. The process ends if it lacks the memory.
  mutating func addOrEnd() {
    nodes.append(TableNode(page: memory._withUnsafeGuaranteedRef { $0.tablePages.allocate() }))
  }

  mutating func take() -> TableNode? { nodes.popLast() }
  mutating func giveBack(_ node: TableNode) { nodes.append(node) }
  fileprivate func retire(_ node: TableNode, level: Int, of table: PageTable) {
    memory._withUnsafeGuaranteedRef { memory in
      table.collect(node, level: level) { memory.deferred.enqueue($0) }
    }
  }
}

extension PageTable {
  /// An empty table.
  init(_ memory: PhysicalMemory) { self.init(root: TableNode(page: memory.tablePages.allocate())) }

  /// Frees the root. No thread uses the table any more, and every other node was unlinked.
  func release(to memory: PhysicalMemory) { memory.tablePages.free(root.page) }
}
