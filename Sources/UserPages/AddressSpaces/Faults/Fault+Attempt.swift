/// One attempt at a fault: it looks up mapping and entry, and hands the entry to the case that it is.
extension Fault {
  mutating func attempt() -> Outcome {
    space.with { space in
      space.underTableLock(address) { attempt(in: space, $0) }
    }
  }

  private mutating func attempt(in space: AddressSpace, _ section: RCU.Section) -> Outcome {
    // The mapping first, the table after: a node that holds this mapping's entries cannot have been unlinked before.
    guard let mapping = space.mappings.find(address, section), mapping.value.permits(access) else {
      return .failed(.segmentationViolation)
    }
    guard mapping.value.isLive else { return mapping.value.isDetached ? .again : .writeLocked }
    YieldPoint.faultBeforeWalk.reach()
    let wantsHuge = mapping.value.attributes.hugePages && wantsHuge(in: mapping)
    let site: FaultSite
    switch space.table.walk(to: address, wantsHuge: wantsHuge, using: &nodes, section) {
    case .needsNode: return .needsNode
    case .base(let ptep):
      site = FaultSite(address: address, mapping: mapping, ptep: ptep, pte: ptep.load(), section)
    case .huge(let ptep):
      site = FaultSite(
        address: address.hugeStart, mapping: mapping, ptep: ptep, pte: ptep.load(), isHuge: true, section)
      // Another thread has linked a node by now, or what was in the way of one is gone.
      if TableNode(link: site.pte) != nil || (site.pte.isEmpty && !wantsHuge) { return .again }
    }
    if site.pte.isBusy || !space.stillRules(mapping) { return .again }
    let outcome = handleEntry(site)
    // Another mapping may have put the entry there since. What the old mapping says of it does not count.
    switch outcome {
    case .failed, .refused, .guarded: return mapping.value.isDetached ? .again : outcome
    default: return outcome
    }
  }

  /// Hands an unlocked entry to the case that it is (`handle_pte_fault`).
  private mutating func handleEntry(_ site: FaultSite) -> Outcome {
    let pte = site.pte
    // It lies across a cut, and the cutting thread is about to split it.
    if site.isHuge, !site.mapping.value.covers(site.address.hugeRange) { return .writeLocked }
    if pte.isEmpty {
      switch (site.isHuge, site.mapping.value.attributes.isAnonymous) {
      case (false, true): return handleAnonymousFault(site)
      case (false, false): return handleBackedFault(site)
      case (true, true): return handleHugeAnonymousFault(site)
      case (true, false): return handleHugeBackedFault(site)
      }
    }
    guard pte.isMapped else {
      switch pte.nonPresentKind {
      case .swap: return handleSwapFault(site)
      case .migration: return .writeLocked
      case .guardMarker: return .guarded
      case .busy: return .again
      case nil: return .failed(.busError)
      }
    }
    // Either the mapping permits the access, so `protect` is changing this entry now, or the access ignores
    // permissions.
    if pte.isProtNone, !access.isForced, site.mapping.value.attributes.protection != .none { return .again }
    switch access {
    case .read, .forcedRead: return pte.isAccessed ? .done : site.install(pte.with(PTELayout.accessed))
    case .write, .forcedWrite: return handleWriteProtectFault(site)
    case .unshare: return handleUnshareFault(site)
    }
  }

  // MARK: What the cases ask of the space

  /// The descriptor of the frame behind the site's entry, if the entry holds a reference to it (`vm_normal_page`).
  @inline(__always)
  func normalFrame(of site: FaultSite) -> Frame? {
    space.with { $0.normalFrame(site.pte, at: site.address, in: site.mapping) }
  }

  func isZeroPage(_ pte: PTE) -> Bool { pte.pfn == zeroPage }

  /// Revokes what mirrors remember of the site's entry, which is locked and about to show something else. A first touch
  /// pays nothing: no mirror remembers an entry that maps nothing.
  ///
  /// ORDERING [revoke-then-change]: the entry is locked, so no fill finds the old one between the end of this and the
  /// change.
  @inline(__always)
  func revokeTranslations(of site: FaultSite) {
    guard site.pte.isMapped else { return }
    let start = site.isHuge ? site.address.hugeStart : site.address.pageStart
    space.with { $0.mirrors.revoke(start..<start + (site.isHuge ? Page.hugeSize : Page.size))?.end() }
  }

  /// Gives a reference back, and frees the frame if it was the last.
  func put(_ folio: Frame) { space.with { $0.memory.put(folio, Frame.oneReference) } }
}
