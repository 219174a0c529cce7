/// Places for entries of a space that no other thread uses yet, or of one whose mmap lock is held for writing and whose mappings
/// there are out of the way.
extension AddressSpace {
  /// The place for the entry of a page.
  func makeEntry(for address: VirtualAddress, using spare: inout SpareNodes) -> PTEPointer {
    while true {
      switch table.walk(to: address, using: &spare) {
      case .base(let ptep): return ptep
      case .needsNode: spare.add()
      // A fault of a mapping that was here holds it for a moment.
      case .huge(let ptep): _ = ptep.waitUntilUnlocked()
      }
    }
  }

  /// The node of the lowest level for the entry of a page.
  func makeNode(for address: VirtualAddress, using spare: inout SpareNodes) -> TableNode {
    while true {
      if let node = table.lowestNode(for: address) { return node }
      _ = makeEntry(for: address, using: &spare)
    }
  }

  /// The place for an entry of 2 MiB: an empty one of the second-lowest level, if no other thread has linked a node there.
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
