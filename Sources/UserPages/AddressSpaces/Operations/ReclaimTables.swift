/// Giving back the tables that `dontneed` or a memory file's collapse has emptied, so that the next access may map 2
/// MiB (`try_to_free_pte`, `retract_page_tables`).
///
///     the advice, holding the mmap lock for writing        walks inside a section
///     1. the link to the node becomes a migration entry    those that come later find no node; a fault waits for the lock
///     2. a grace period                                    those inside the node have ended; a fault may have installed an entry
///     3. the entries are looked at: if there is one, the
///        link comes back; if not, the node is retired      the next ones find the node as it was, or none
///
/// The lock keeps off every walk that is in no section. `dontneed`, page-out, the reverse map, and all of engine
/// `locked` hold it for reading. Fork, remap and collapse hold it for writing. So after step 2 no thread but this one
/// has the node's address.
///
/// The mapping need not be write-locked. A fault that installs before step 2 ends is met by step 3, and none can come
/// after.
extension AddressSpace {
  /// A node without entries, and the place of the link to it.
  private struct EmptyNode {
    let node: TableNode
    let ptep: PTEPointer
  }

  /// Gives back each node of the lowest level that has no entry, if its 2 MiB lie wholly in one of `parts`.
  ///
  /// Each part lies in one mapping: advice that covers 2 MiB of two mappings leaves their table, as on Linux. Guard
  /// markers are entries.
  func reclaimTables(in parts: [Range<VirtualAddress>]) {
    let wide = parts.filter { $0.lowerBound.hugeCeiling + Page.hugeSize <= $0.upperBound }
    // Often there is none: 2 MiB went as one entry, or an access has come since. Then no other thread waits for this
    // one.
    guard let first = wide.first, let last = wide.last else { return }
    let hull = first.lowerBound..<last.upperBound
    if mmapLock.reading(hull, { reader in emptyNodes(in: wide, reader).isEmpty }) { return }
    var teardown = Teardown(memory.deferred)
    mmapLock.writing(hull, in: mappings) { writer in
      let nodes = emptyNodes(in: wide, writer.reader)
      if nodes.isEmpty { return }
      // No translation is revoked: an empty node has none, and what a fault installs in it stays mapped.
      for empty in nodes { empty.ptep.store(PTE(.migration, payload: 0)) }
      YieldPoint.tableReclaimBetweenUnlinkAndGrace.reach()
      // Inside the lock, as in a fork: no thread waits for the lock inside a section.
      RCU.synchronize()
      for empty in nodes {
        guard Self.isEmpty(empty.node) else {
          empty.ptep.store(empty.node.link)
          continue
        }
        empty.ptep.store(.empty)
        teardown.deferFree(.tablePage(empty.node.page))
      }
    }
    // A grace period has passed since the links were taken away.
    teardown.finishWithoutGracePeriod()
    memory.deferred.drainIfFull()
  }

  private func emptyNodes(in parts: [Range<VirtualAddress>], _ lock: borrowing MmapReader) -> [EmptyNode] {
    var found: [EmptyNode] = []
    for part in parts {
      var cursor = table.cursor(over: part, lock)
      while let step = cursor.next() {
        guard case .base(let run) = step, run.indices.count == TableNode.entryCount, Self.isEmpty(run.node),
          let ptep = table.hugePTEP(for: run.start, lock)
        else { continue }
        found.append(EmptyNode(node: run.node, ptep: ptep))
      }
    }
    return found
  }

  private static func isEmpty(_ node: TableNode) -> Bool {
    (0..<TableNode.entryCount).allSatisfy { node[$0].load().isEmpty }
  }
}
