/// The reverse map's last step for many pages of a backing at once: one walk over the mappings for all of them.
///
/// The mmap lock, held for reading, keeps other operations from moving, inheriting or re-protecting entries meanwhile.
/// The backing's sequence keeps faults off. The backing waits for one grace period, for all of its users. Other
/// operations on a space wait by themselves: `Teardown.close` has told them.
extension AddressSpace {
  func unmap(pages: [Int], of backing: any Backing, sparingLocked: Bool) -> Bool {
    mmapLock.reading { reader in
      var places = places(of: pages, in: backing, reader)
      // A cache's answers are frames. A mapping by number takes none, so it shows nothing of the cache.
      if backing is PageCache || backing is PageCacheFile { places.removeAll { $0.mapping.value.attributes.isPFN } }
      guard places.allSatisfy({ !$0.mapping.value.attributes.isPFN }) else { return false }
      empty(sparingLocked ? places.filter { !$0.mapping.value.attributes.isLocked } : places, reader)
      return true
    }
  }

  func unmap(_ frames: [PFN], ofPages pages: [Int], of backing: any Backing, sparingLocked: Bool) {
    mmapLock.reading { reader in
      changeEntries(reader) { teardown in
        for place in places(of: pages, in: backing, reader) {
          let attributes = place.mapping.value.attributes
          if attributes.isPFN || (sparingLocked && attributes.isLocked) { continue }
          for index in place.pages.indices {
            empty(pages[index], showing: frames[index], in: place.mapping, reader, &teardown)
          }
        }
      }
    }
  }

  func lockedPages(among pages: [Int], showing frames: [PFN], of backing: any Backing) -> [Int] {
    mmapLock.reading { reader in
      var locked: [Int] = []
      for place in places(of: pages, in: backing, reader) where place.mapping.value.attributes.isLocked {
        for index in place.pages.indices {
          let address = place.mapping.value.address(ofBackingPage: pages[index])
          if shows(frames[index], at: address, reader) { locked.append(pages[index]) }
        }
      }
      return locked
    }
  }

  func unmapEverywhere(pages: [Int], of backing: any Backing) {
    mmapLock.reading { reader in empty(places(of: pages, in: backing, reader), reader) }
  }

  func unmapAll(from page: Int, of backing: any Backing) {
    mmapLock.reading { reader in
      changeEntries(reader) { teardown in
        mappings.forEach(in: VirtualAddress(0)..<VirtualAddress.limit, reader) { mapping in
          guard mapping.value.attributes.backing === backing else { return }
          let range = mapping.value.range
          let skipped = page > mapping.value.firstPage ? page - mapping.value.firstPage : 0
          guard skipped < (range.upperBound - range.lowerBound) / Page.size else { return }
          zap(
            range.lowerBound + skipped * Page.size..<range.upperBound, in: mapping, keepsGuards: true, reader, &teardown
          )
        }
      }
    }
  }

  func writeProtect(pages: [Int], of backing: any Backing) {
    mmapLock.reading { reader in
      changeEntries(reader) { teardown in
        for place in places(of: pages, in: backing, reader) where place.mapping.value.attributes.isShared {
          for page in place.pages { writeProtect(page, in: place.mapping, reader, &teardown) }
        }
      }
    }
  }

  func takeAccessed(among pages: [Int], of backing: any Backing) -> [Int] {
    mmapLock.reading { reader in
      var accessed: Set<Int> = []
      for place in places(of: pages, in: backing, reader) {
        for page in place.pages {
          guard let ptep = baseEntry(of: page, in: place.mapping, reader) else { continue }
          if takeAccessed(ptep, at: place.mapping.value.address(ofBackingPage: page)) { accessed.insert(page) }
        }
      }
      return accessed.sorted()
    }
  }

  private func empty(_ places: [Place], _ lock: borrowing MmapReader) {
    changeEntries(lock) { teardown in
      for place in places {
        for page in place.pages { empty(page, in: place.mapping, lock, &teardown) }
      }
    }
  }

  private func changeEntries(_ lock: borrowing MmapReader, _ body: (inout Teardown) -> Void) {
    var teardown = Teardown(memory.deferred)
    emptyEntries(lock, &teardown, body)
    teardown.finishWithoutGracePeriod()
  }

  /// Makes an entry read-only and clean. A protnone entry stays so, but a later `protect` must not find it dirty: it
  /// would make it writable at once.
  private func writeProtect(
    _ page: Int, in mapping: VMATree.Mapping, _ lock: borrowing MmapReader, _ teardown: inout Teardown
  ) {
    guard let ptep = baseEntry(of: page, in: mapping, lock) else { return }
    let before = revokingTranslation(at: mapping.value.address(ofBackingPage: page)) {
      ptep.update { pte in
        guard pte.isMapped, !pte.isAnonymous, pte.isWritable || pte.isDirty else { return nil }
        return pte.without(PTELayout.writable, PTELayout.dirty)
      }
    }
    // ORDERING [change-then-grace]: a `protect` that finds the entry read-only already must wait for the same stores.
    if before.isMapped, !before.isAnonymous, before.isWritable { teardown.expectAccess() }
  }

  /// The entry of the lowest level for a page, if there is one. An entry of 2 MiB is split: of those only this page is
  /// meant.
  func baseEntry(of page: Int, in mapping: VMATree.Mapping, _ lock: borrowing MmapReader) -> PTEPointer? {
    let address = mapping.value.address(ofBackingPage: page)
    if let ptep = table.ptep(for: address, lock) { return ptep }
    var cursor = table.cursor(over: address..<address + Page.size, lock)
    while case .huge(let span) = cursor.next() {
      split(span, in: mapping, lock)
      cursor.lookAgain()
    }
    return table.ptep(for: address, lock)
  }

  /// A mapping, and the pages that it shows of those that are asked for.
  private typealias Place = (mapping: VMATree.Mapping, pages: ArraySlice<Int>)

  /// The mappings that show any of `pages`, which are in order.
  private func places(of pages: [Int], in backing: any Backing, _ lock: borrowing MmapReader) -> [Place] {
    var found: [Place] = []
    mappings.forEach(in: VirtualAddress(0)..<VirtualAddress.limit, lock) { mapping in
      guard mapping.value.attributes.backing === backing else { return }
      let first = mapping.value.firstPage
      let end = first + (mapping.value.range.upperBound - mapping.value.range.lowerBound) / Page.size
      let low = pages.indices.partitioningIndex { pages[$0] >= first }
      let high = pages.indices.partitioningIndex { pages[$0] >= end }
      if low < high { found.append((mapping, pages[low..<high])) }
    }
    return found
  }
}
