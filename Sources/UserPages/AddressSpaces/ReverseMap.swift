/// The reverse map's last step: from a backing's page to the entries of one space that show it.
extension AddressSpace: BackingUser {
  public func unmap(page: Int, of backing: any Backing) -> Bool {
    // The lock keeps entries from being moved or inherited behind this; faults are kept off by the backing's sequence.
    mmapLock.reading {
      let places = places(of: page, in: backing)
      guard places.allSatisfy({ !$0.value.attributes.kind.isPFN }) else { return false }
      var teardown = Teardown(memory.deferred)
      emptyEntries(&teardown) { teardown in
        for mapping in places { empty(page, in: mapping, &teardown) }
      }
      // The backing waits once for all spaces. Other operations on this space wait as well: `close` has told them.
      teardown.finishWithoutGracePeriod()
      return true
    }
  }

  public func takeAccessedPages(of backing: any Backing) -> [Int] {
    mmapLock.reading {
      var pages: Set<Int> = []
      mappings.forEach(in: VirtualAddress(0)..<VirtualAddress.limit) { mapping in
        guard mapping.value.attributes.kind.backing === backing else { return }
        table.forEachEntry(in: mapping.value.range) { span in
          let before = span.ptep.update {
            $0.mapsHuge && !$0.isAnonymous && $0.isAccessed ? $0.without(PTELayout.accessed) : nil
          }
          if before.mapsHuge, !before.isAnonymous, before.isAccessed {
            let first = mapping.value.backingPage(of: span.range.lowerBound)
            pages.formUnion(first..<first + Page.pagesPerHuge)
          }
          return before.mapsHuge ? .next : .again
        } _: { address, ptep in
          let before = ptep.update { pte in
            pte.isMapped && !pte.isAnonymous && pte.isAccessed ? pte.without(PTELayout.accessed) : nil
          }
          if before.isMapped, !before.isAnonymous, before.isAccessed {
            pages.insert(mapping.value.backingPage(of: address))
          }
        }
      }
      return pages.sorted()
    }
  }

  public func mapsWritably(_ backing: any Backing) -> Bool {
    mmapLock.reading {
      var found = false
      mappings.forEach(in: VirtualAddress(0)..<VirtualAddress.limit) { mapping in
        let attributes = mapping.value.attributes
        if attributes.isShared, attributes.protection.contains(.write), attributes.kind.backing === backing {
          found = true
        }
      }
      return found
    }
  }

  /// Empties the entry that shows a page of the backing. A private copy is the space's own and stays.
  private func empty(_ page: Int, in mapping: VMATree.Mapping, _ teardown: inout Teardown) {
    let address = mapping.value.address(ofBackingPage: page)
    // Of 2 MiB only this page is to go.
    table.forEachNode(in: address..<address + Page.size) {
      split($0, in: mapping)
    } _: { _, _, _ in
      true
    }
    guard let ptep = table.ptep(for: address) else { return }
    let pte = ptep.update { $0.isMapped && !$0.isAnonymous ? .empty : nil }
    guard pte.isMapped, !pte.isAnonymous else { return }
    release(pte, at: address, in: mapping, &teardown)
    teardown.expectAccess()
  }

  /// The mappings that show a page of a backing. Under the mmap lock.
  private func places(of page: Int, in backing: any Backing) -> [VMATree.Mapping] {
    var found: [VMATree.Mapping] = []
    mappings.forEach(in: VirtualAddress(0)..<VirtualAddress.limit) { mapping in
      if mapping.value.attributes.kind.backing === backing, mapping.value.shows(backingPage: page) {
        found.append(mapping)
      }
    }
    return found
  }
}

extension VMA {
  func shows(backingPage page: Int) -> Bool {
    page >= firstPage && page < firstPage + (range.upperBound - range.lowerBound) / Page.size
  }

  func address(ofBackingPage page: Int) -> VirtualAddress { range.lowerBound + (page - firstPage) * Page.size }
}
