/// Entries and nodes for a space that no other thread uses yet; or for one whose mmap lock the caller holds for writing, and that
/// has no live mapping there.
extension AddressSpace {
  /// The entry of a base page, made if necessary.
  func makeEntry(for address: VirtualAddress, using spare: inout SpareNodes) -> PTEPointer {
    while true {
      switch table.walk(to: address, using: &spare) {
      case .base(let ptep): return ptep
      case .needsNode: spare.add()
      // A fault of a mapping that was here has it locked for a moment.
      case .huge(let ptep): _ = ptep.waitUntilUnlocked()
      }
    }
  }

  /// The node of the lowest level that holds the entry of a base page, made if necessary.
  func makeNode(for address: VirtualAddress, using spare: inout SpareNodes) -> TableNode {
    while true {
      if let node = table.lowestNode(for: address) { return node }
      _ = makeEntry(for: address, using: &spare)
    }
  }

  /// An empty entry of the second-lowest level, for 2 MiB, made if necessary. Nil if a node is linked there.
  func makeHugeEntry(for address: VirtualAddress, using spare: inout SpareNodes) -> PTEPointer? {
    while true {
      switch table.walk(to: address, wantsHuge: true, using: &spare) {
      case .base: return nil
      case .needsNode: spare.add()
      case .huge(let ptep): if ptep.waitUntilUnlocked().isEmpty { return ptep }
      }
    }
  }
}
