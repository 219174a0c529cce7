/// Entries and nodes where the space has no live mapping, under its mmap lock held for writing.
///
/// The process ends if there is no memory for a node. A caller that can fail calls `SpareNodes.reserve` before each.
extension AddressSpace {
  /// The entry of a base page, made if necessary.
  func makeEntry(
    for address: VirtualAddress, using spare: inout SpareNodes, _ writer: borrowing MmapWriter
  ) -> PTEPointer {
    while true {
      switch table.walk(to: address, using: &spare, writer) {
      case .base(let ptep): return ptep
      case .needsNode: spare.addOrEnd()
      // A fault of a mapping that was here has it locked for a moment.
      case .huge(let ptep): _ = ptep.waitUntilUnlocked()
      }
    }
  }

  /// The node of the lowest level that holds the entry of a base page, made if necessary.
  func makeNode(
    for address: VirtualAddress, using spare: inout SpareNodes, _ writer: borrowing MmapWriter
  ) -> TableNode {
    while true {
      if let node = table.lowestNode(for: address, writer) { return node }
      _ = makeEntry(for: address, using: &spare, writer)
    }
  }

  /// An empty entry of the second-lowest level, for 2 MiB, made if necessary. Nil if a node is linked there.
  func makeHugeEntry(
    for address: VirtualAddress, using spare: inout SpareNodes, _ writer: borrowing MmapWriter
  ) -> PTEPointer? {
    while true {
      switch table.walk(to: address, wantsHuge: true, using: &spare, writer) {
      case .base: return nil
      case .needsNode: spare.addOrEnd()
      case .huge(let ptep): if ptep.waitUntilUnlocked().isEmpty { return ptep }
      }
    }
  }
}
