/// Where the descent for an address ends, and the value that was read there.
///
/// The value is read once, at the end of the descent. A later load through `ptep` may differ: that comparison is the second look
/// of [pin-then-look].
@frozen @usableFromInline
struct Leaf {
  /// The entry: of the lowest level, or one of the level above that links no node.
  @usableFromInline let ptep: PTEPointer
  /// What the entry was. Above the lowest level it may be empty, locked, a migration, or a huge entry.
  @usableFromInline let pte: PTE
  /// Whether the entry is in a node of the lowest level.
  @usableFromInline let isBase: Bool

  @inlinable @inline(__always)
  init(_ ptep: PTEPointer, _ pte: PTE, isBase: Bool) {
    self.ptep = ptep
    self.pte = pte
    self.isBase = isBase
  }

  /// Whether one entry maps all 2 MiB.
  @usableFromInline var mapsHuge: Bool { !isBase && pte.mapsHuge }

  /// Where the range that the entry maps begins, for an entry met at `address`.
  func start(for address: VirtualAddress) -> VirtualAddress { isBase ? address : address.hugeStart }

  /// The frame that the entry shows at `address`.
  func pfn(at address: VirtualAddress) -> PFN { isBase ? pte.pfn : pte.pfn + address.pageInHuge }

  /// The same place with the value that it has now.
  func reloaded() -> Leaf { Leaf(ptep, ptep.load(), isBase: isBase) }
}

extension PageTable {
  /// The end of the descent for `address`; nil if a node above the last two levels is missing. Inside a read-side section.
  ///
  /// One descent tells a base page, a huge entry and a part of a huge frame apart, so that a miss needs no second one. O(levels).
  ///
  /// ORDERING [node-publish]: as for `ptep(for:)`.
  @inlinable @inline(__always)
  func leaf(for address: VirtualAddress) -> Leaf? {
    guard let third = TableNode(link: root[TableNode.index(of: address, level: 4)].load()),
      let second = TableNode(link: third[TableNode.index(of: address, level: 3)].load())
    else { return nil }
    let above = second[TableNode.index(of: address, level: 2)]
    let link = above.load()
    guard let node = TableNode(link: link) else { return Leaf(above, link, isBase: false) }
    let ptep = node[TableNode.index(of: address, level: 1)]
    return Leaf(ptep, ptep.load(), isBase: true)
  }
}
