/// Where the descent for an address ends, and the value that was read there.
///
/// The value is read once, at the end of the descent. A later load through `ptep` may differ: that comparison is the
/// second look of [pin-then-look].
///
/// A leaf cannot outlive the section that read it. So a function with a leaf runs inside that section. The section
/// keeps the entry's node, and the frame behind the entry with the entry's own reference ([deferred-free]).
@frozen @usableFromInline
struct Leaf: ~Escapable {
  /// The entry: of the lowest level, or one of the level above that links no node.
  @usableFromInline let ptep: PTEPointer
  /// What the entry was. Above the lowest level it may be empty, locked, a migration, or a huge entry.
  @usableFromInline let pte: PTE
  /// Whether the entry is in a node of the lowest level. Such an entry may map a base page, or a part of a huge frame.
  @usableFromInline let isLowestLevel: Bool
  /// The section that read the entry.
  @usableFromInline let section: RCU.Section

  @inlinable @inline(__always)
  @_lifetime(copy section)
  init(_ ptep: PTEPointer, _ pte: PTE, isLowestLevel: Bool, _ section: RCU.Section) {
    self.ptep = ptep
    self.pte = pte
    self.isLowestLevel = isLowestLevel
    self.section = section
  }

  /// Whether one entry maps all 2 MiB.
  @usableFromInline var mapsHuge: Bool { !isLowestLevel && pte.mapsHuge }

  /// Where the range that the entry maps begins, for an entry met at `address`.
  func start(for address: VirtualAddress) -> VirtualAddress { isLowestLevel ? address : address.hugeStart }

  /// The frame that the entry shows at `address`.
  func pfn(at address: VirtualAddress) -> PFN { isLowestLevel ? pte.pfn : pte.pfn + address.pageInHuge }

  /// The same place with the value that it has now.
  @_lifetime(copy self)
  func reloaded() -> Leaf { Leaf(ptep, ptep.load(), isLowestLevel: isLowestLevel, section) }
}

extension PageTable {
  /// The end of the descent for `address`, or nil if a node above the last two levels is missing.
  ///
  /// One descent tells a base page, a huge entry and a part of a huge frame apart, so that a miss needs no second one.
  /// O(levels).
  ///
  /// For pins and accesses. A fault and an operation go by `ptep(for:_:)` and `hugePTEP(for:_:)`. Their loads are
  /// ordered after a change that the thread made before.
  ///
  /// ORDERING [node-publish]: the loads acquire.
  @inlinable @inline(__always)
  @_lifetime(copy section)
  func leaf(for address: VirtualAddress, _ section: RCU.Section) -> Leaf? {
    guard let third = TableNode(link: root[TableNode.index(of: address, level: 4)].loadToWalk()),
      let second = TableNode(link: third[TableNode.index(of: address, level: 3)].loadToWalk())
    else { return nil }
    let above = second[TableNode.index(of: address, level: 2)]
    let link = above.loadToWalk()
    guard let node = TableNode(link: link) else { return Leaf(above, link, isLowestLevel: false, section) }
    let ptep = node[TableNode.index(of: address, level: 1)]
    return Leaf(ptep, ptep.loadToWalk(), isLowestLevel: true, section)
  }
}
