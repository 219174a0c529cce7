/// The reverse map's last step: from a backing's page to the entries of one space that show it.
extension AddressSpace: BackingUser {
  func takeAccessedPages(of backing: any Backing) -> [Int] {
    mmapLock.reading { reader in
      var pages: Set<Int> = []
      mappings.forEach(in: VirtualAddress(0)..<VirtualAddress.limit, reader) { mapping in
        guard mapping.value.attributes.backing === backing else { return }
        var cursor = table.cursor(over: mapping.value.range, reader)
        while let step = cursor.next() {
          switch step {
          case .huge(let span):
            let before = revokingTranslations(of: span.range) {
              span.ptep.update { $0.mapsHuge && $0.isAccessedFile ? $0.without(PTELayout.accessed) : nil }
            }
            guard before.mapsHuge else {
              cursor.lookAgain()
              continue
            }
            let first = mapping.value.backingPage(of: span.range.lowerBound)
            if before.isAccessedFile { pages.formUnion(first..<first + Page.pagesPerHuge) }
          case .base(let run):
            for (address, ptep) in run where takeAccessed(ptep, at: address) {
              pages.insert(mapping.value.backingPage(of: address))
            }
          }
        }
      }
      return pages.sorted()
    }
  }

  /// Clears the accessed bit of an entry that shows the backing's own page. Returns whether it was set.
  ///
  /// A mirror's accesses do not set the bit. So its translation goes with the bit, and the next access sets it
  /// (`mmu_notifier_clear_flush_young`).
  func takeAccessed(_ ptep: PTEPointer, at address: VirtualAddress) -> Bool {
    let hint = ptep.waitUntilUnlocked()
    guard hint.isMapped, hint.isAccessedFile else { return false }
    let before = revokingTranslation(at: address) {
      ptep.update { $0.isMapped && $0.isAccessedFile ? $0.without(PTELayout.accessed) : nil }
    }
    return before.isMapped && before.isAccessedFile
  }

  func mapsWritably(_ backing: any Backing) -> Bool {
    mmapLock.reading { reader in
      var found = false
      mappings.forEach(in: VirtualAddress(0)..<VirtualAddress.limit, reader) { mapping in
        let attributes = mapping.value.attributes
        if attributes.isShared, attributes.protection.contains(.write), attributes.backing === backing {
          found = true
        }
      }
      return found
    }
  }

  func reclaimTables(showing pages: Range<Int>, of backing: any Backing) {
    let ranges = mmapLock.reading { reader in
      var ranges: [Range<VirtualAddress>] = []
      mappings.forEach(in: VirtualAddress(0)..<VirtualAddress.limit, reader) { mapping in
        guard mapping.value.attributes.backing === backing else { return }
        let first = mapping.value.firstPage
        let shown = first..<first + (mapping.value.range.upperBound - mapping.value.range.lowerBound) / Page.size
        let part = shown.clamped(to: pages)
        guard part.count == pages.count else { return }
        ranges.append(
          mapping.value.address(ofBackingPage: part.lowerBound)..<mapping.value.address(ofBackingPage: part.upperBound))
      }
      return ranges
    }
    // One by one: what lies between two mappings is not this file's.
    for range in ranges { reclaimTables(in: [range]) }
  }

  /// Empties the entry that shows a page of the backing. A private copy is the space's own and stays.
  ///
  /// - Parameter pfn: the frame that the entry must show. If nil, any.
  func empty(
    _ page: Int, showing pfn: PFN? = nil, in mapping: VMATree.Mapping, _ lock: borrowing MmapReader,
    _ teardown: inout Teardown
  ) {
    func isMeant(_ pte: PTE) -> Bool { pte.isMapped && !pte.isAnonymous && (pfn == nil || pte.pfn == pfn) }
    let address = mapping.value.address(ofBackingPage: page)
    // 2 MiB that do not show the frame are not split to find that out.
    guard pfn == nil || shows(pfn, at: address, lock), let ptep = baseEntry(of: page, in: mapping, lock) else { return }
    let pte = revokingTranslation(at: address) {
      ptep.update { isMeant($0) ? .empty : nil }
    }
    guard isMeant(pte) else { return }
    deferPut(pte, at: address, in: mapping, &teardown)
    teardown.expectAccess()
  }
}

extension AddressSpace {
  /// Whether the entry of either level at `address` shows a frame. A hint, if nothing locks the entry.
  func shows(_ pfn: PFN?, at address: VirtualAddress, _ lock: borrowing MmapReader) -> Bool {
    if let ptep = table.ptep(for: address, lock) {
      let pte = ptep.waitUntilUnlocked()
      return pte.isMapped && pte.pfn == pfn
    }
    guard let pte = table.hugePTEP(for: address, lock)?.waitUntilUnlocked() else { return false }
    if pte.mapsHuge { return pte.pfn + address.pageInHuge == pfn }
    // It was split between the two looks.
    guard let pte = table.ptep(for: address, lock)?.waitUntilUnlocked() else { return false }
    return pte.isMapped && pte.pfn == pfn
  }
}

extension VMA {
  func address(ofBackingPage page: Int) -> VirtualAddress { range.lowerBound + (page - firstPage) * Page.size }
}

extension PTE {
  /// Whether a mapped entry shows the backing's own page, and was accessed.
  var isAccessedFile: Bool { !isAnonymous && isAccessed }
}
