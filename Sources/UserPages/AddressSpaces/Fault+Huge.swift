/// Faults on entries of the second-lowest level, which map 2 MiB (`do_huge_pmd_anonymous_page`, `do_huge_pmd_wp_page`).
///
/// They keep to the same protocol as those on pages: look, get what is lacking outside of the section, lock the entry, look
/// whether the mapping still rules. Where 2 MiB cannot be had, or only a page of them is to be copied, the fault goes on one
/// level below.
///
/// A huge entry lies wholly inside one mapping. A writer that cuts a mapping publishes the parts and then splits what lies across
/// the cut; a fault that meets such an entry in between waits for the writer.
extension AddressSpace {
  /// Whether a fault would rather have a huge entry where there is nothing yet: the mapping asks for such, covers the 2 MiB
  /// around `address`, and shows them aligned. A private mapping's first store to a file makes one page of its own.
  func wantsHuge(
    _ address: VirtualAddress, _ access: FaultAccess, in mapping: VMATree.Mapping, _ resources: borrowing FaultResources
  ) -> Bool {
    let attributes = mapping.value.attributes
    guard !resources.hugeRefused, mapping.value.covers(address.hugeRange) else { return false }
    if attributes.isAnonymous { return true }
    let page = mapping.value.backingPage(of: address.hugeStart)
    guard page % Page.pagesPerHuge == 0 else { return false }
    return attributes.isShared || !(access.isWrite || access == .unshare)
  }

  /// 2 MiB of zeroes for the fault, or the news that there are none.
  func getHugeFrame(_ resources: inout FaultResources, holdsMmapLock: Bool) {
    guard let pfn = memory.allocateHugeFrame(underLock: holdsMmapLock) else {
      resources.hugeRefused = true
      return
    }
    for index in 0..<Page.pagesPerHuge { frames.bytes(of: pfn + index).fill(0) }
    resources.hugeFrame = pfn
  }

  // MARK: Nothing there yet

  func firstHugeTouch(
    _ site: FaultSite, _ access: FaultAccess, _ resources: inout FaultResources
  ) -> FaultOutcome {
    guard site.mapping.value.attributes.isAnonymous else { return touchHugeBacked(site, access, &resources) }
    guard access.isWrite else {
      // The huge zero page.
      let pte = PTE(mapping: memory.zeroPage).asSpecial.with(PTELayout.huge)
      return install(site.finish(pte, writable: false), at: site)
    }
    return installOwnHuge(site, &resources)
  }

  /// Installs 2 MiB of zeroes as the mapping's own.
  private func installOwnHuge(_ site: FaultSite, _ resources: inout FaultResources) -> FaultOutcome {
    guard let pfn = resources.hugeFrame else { return .needsHugeFrame }
    let pte = PTE(mapping: pfn).with(PTELayout.anonymous, PTELayout.dirty).with(PTELayout.huge)
    if let refusal = lock(site) { return refusal }
    // ORDERING [lock-then-begin]: as `installOwn`.
    frames.beginHuge(pfn, anonymous: true, mapped: true)
    site.ptep.store(site.finish(pte, writable: true))
    resources.hugeFrame = nil
    return .done
  }

  private func touchHugeBacked(
    _ site: FaultSite, _ access: FaultAccess, _ resources: inout FaultResources
  ) -> FaultOutcome {
    let attributes = site.mapping.value.attributes
    guard let backing = attributes.kind.backing else { return .failed(.busError) }
    let storesThrough = access.isWrite && attributes.isShared
    let question = FaultQuestion(
      page: site.mapping.value.backingPage(of: site.address), write: storesThrough, isHuge: true)
    guard let answer = resources.answer, answer.backing === backing, answer.question == question, answer.holds
    else { return .needsAnswer(backing, question) }
    switch answer.answer {
    case .frame(let pfn) where !attributes.kind.isPFN:
      let outcome = insertHuge(pfn, site, storesThrough: storesThrough, answer)
      // The entry holds the answer's reference now.
      if case .done = outcome { resources.answer = nil }
      return outcome
    case .frameNumber(let pfn, let writable)
    where site.mapping.value.mayShow(pfn, at: site.address) && (writable || !storesThrough)
      && (attributes.kind.isPFN || !frames.isValid(pfn) || pfn == memory.zeroPage):
      return insertHugePFN(pfn, site, writable: writable && attributes.isShared, storesThrough: storesThrough, answer)
    default:
      // What it cannot have whole it may have page by page.
      resources.hugeRefused = true
      return .again
    }
  }

  /// Maps 2 MiB of the page cache, with the reference that came with them (`do_set_pmd`).
  private func insertHuge(_ pfn: PFN, _ site: FaultSite, storesThrough: Bool, _ answer: BackingAnswer) -> FaultOutcome {
    let folio = frames.frame(pfn)
    var pte = PTE(mapping: pfn).with(PTELayout.huge)
    if storesThrough {
      pte.set(PTELayout.dirty)
      folio.set(Frame.dirtyBit)
    }
    guard folio.addHugeMapping() else { return .failed(.outOfMemory) }
    for index in 0..<Page.pagesPerHuge { memory.dataCacheClean(pfn + index) }
    let outcome = install(site.finish(pte, writable: storesThrough), at: site, validating: answer)
    if case .done = outcome { return outcome }
    folio.removeHugeMapping()
    return outcome
  }

  /// Maps 2 MiB by number: the entry is special and holds no reference, whatever is behind it (`vmf_insert_pfn_pmd`).
  func insertHugePFN(
    _ pfn: PFN, _ site: FaultSite, writable: Bool, storesThrough: Bool, _ answer: BackingAnswer?
  ) -> FaultOutcome {
    var pte = PTE(mapping: pfn).asSpecial.with(PTELayout.huge)
    if storesThrough { pte.set(PTELayout.dirty) }
    return install(site.finish(pte, writable: writable), at: site, validating: answer)
  }

  // MARK: A store to what is there

  /// A store to what is not the mapping's own: a page of it is copied, one level below; but of zeroes all is new.
  func copyHuge(_ site: FaultSite, _ resources: inout FaultResources) -> FaultOutcome {
    guard isZeroPage(site.pte), !resources.hugeRefused else { return split(site, &resources) }
    let outcome = installOwnHuge(site, &resources)
    if case .done = outcome { events.add(1, to: Counters.copyIndex) }
    return outcome
  }

  func writeSharedHuge(_ site: FaultSite, _ resources: inout FaultResources) -> FaultOutcome {
    // By number: what takes stores was writable from the start, so this is for one page to decide.
    guard let folio = normalFrame(of: site), site.mapping.value.attributes.takesStores else {
      return split(site, &resources)
    }
    folio.set(Frame.dirtyBit)
    return install(site.finish(site.pte.with(PTELayout.dirty, PTELayout.accessed), writable: true), at: site)
  }
}

extension VMA {
  /// Whether all of `other` lies in the mapping.
  func covers(_ other: Range<VirtualAddress>) -> Bool {
    range.lowerBound <= other.lowerBound && other.upperBound <= range.upperBound
  }
}

extension FaultAnswer {
  /// Whether it is an answer for 2 MiB. Where it is not, pages are asked for.
  func isHuge(by frames: FrameTable) -> Bool {
    switch self {
    case .frame(let pfn): frames.isValid(pfn) && pfn.isHugeAligned && frames.frame(pfn).has(Frame.hugeBit)
    case .frameNumber(let pfn, _): frames.isWhole(from: pfn)
    case .retry: true
    case .busError, .outOfMemory: false
    }
  }
}
