import CPlatform
import Synchronization

/// A table of four levels from virtual pages to frames.
///
/// Descent takes no lock. A node is reachable only through its parent's entry; it is unlinked when no mapping is left in
/// its span, and freed a grace period later, so a walker inside a read-side section never touches freed memory.
///
/// Entries are changed one at a time, each under its own lock (the busy encoding), so that two faults on neighbouring pages
/// share no written line but the table's own.
@frozen @usableFromInline
struct PageTable: Sendable {
  static let levels = 4

  /// The node of the highest level; never unlinked.
  @usableFromInline let root: TableNode

  init(root: TableNode) { self.root = root }

  /// The place of the entry for `address`, if its node exists. Inside a read-side section.
  ///
  /// ORDERING [node-publish]: loads of links are sequentially consistent (so at least acquire) and pair with the link's
  /// compare-and-swap in `makeNodes`; a new node is all zeroes before it is linked.
  @inlinable @inline(__always)
  func ptep(for address: VirtualAddress) -> PTEPointer? {
    lowestNode(for: address)?[TableNode.index(of: address, level: 1)]
  }

  /// The node of the lowest level for `address`, if it exists. Inside a read-side section.
  @inlinable @inline(__always)
  func lowestNode(for address: VirtualAddress) -> TableNode? {
    guard let third = TableNode(link: root[TableNode.index(of: address, level: 4)].load()),
      let second = TableNode(link: third[TableNode.index(of: address, level: 3)].load())
    else { return nil }
    return TableNode(link: second[TableNode.index(of: address, level: 2)].load())
  }

  /// The place of the entry for `address` in the second-lowest level, if its node exists: a link, or a huge entry. Inside a
  /// read-side section.
  func hugePTEP(for address: VirtualAddress) -> PTEPointer? {
    guard let third = TableNode(link: root[TableNode.index(of: address, level: 4)].load()),
      let second = TableNode(link: third[TableNode.index(of: address, level: 3)].load())
    else { return nil }
    return second[TableNode.index(of: address, level: 2)]
  }

  /// Where a walk that makes the nodes it lacks ends.
  enum WalkEnd {
    /// In a node of the lowest level.
    case base(PTEPointer)
    /// Above it: at an entry of the second-lowest level that is no link, or was none just now. It is empty only for who
    /// wants it so.
    case huge(PTEPointer)
    /// It lacks a node.
    case needsNode
  }

  /// Walks to the entry for `address`, making nodes from `spare` where they lack. Inside a read-side section.
  ///
  /// - Parameter wantsHuge: whether an empty entry of the second-lowest level is what is looked for.
  @inline(__always)
  func walk(to address: VirtualAddress, wantsHuge: Bool = false, using spare: inout SpareNodes) -> WalkEnd {
    if let ptep = ptep(for: address) { return .base(ptep) }
    return makeNodes(to: address, wantsHuge: wantsHuge, using: &spare)
  }

  /// ORDERING [link-then-look]: after a child was linked into a node, the link to that node is looked at again. Whoever
  /// unlinks a node clears the link to it first and collects its children after. So either the unlinker collects the new
  /// child, or this sees that its parent was unlinked, takes the child back and starts again from the root.
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
          // ORDERING [node-publish]: the zeroes come before the link.
          if ptep.replace(.empty, with: fresh.link) {
            spare.haveBeenLinked = true
            YieldPoint.nodeBetweenLinkAndLook.reach()
            if let above, above.ptep.load() != above.link {
              // The parent is unlinked. If its unlinker did not collect the child, nobody will: it is ours again, but a
              // walker may have seen it, and linked others below it: it goes the way of every unlinked node.
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

/// Nodes made beforehand, outside the read-side section that may need them: sections do not allocate.
struct SpareNodes: ~Copyable {
  private var nodes: [TableNode] = []
  /// Whether one of them went into a table.
  fileprivate(set) var haveBeenLinked = false
  // Not retained: a fault would otherwise write the machine's reference count, a line that every thread shares. The
  // address space that faults holds the machine.
  private let memory: Unmanaged<PhysicalMemory>

  init(_ memory: PhysicalMemory) { self.memory = .passUnretained(memory) }

  deinit {
    for node in nodes { memory._withUnsafeGuaranteedRef { $0.tablePages.free(node.page) } }
  }

  /// Makes one more. Not inside a read-side section.
  mutating func add() {
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

  /// Gives the last node back. Nobody uses the table any more, and everything in it was unlinked.
  func release(to memory: PhysicalMemory) { memory.tablePages.free(root.page) }
}
