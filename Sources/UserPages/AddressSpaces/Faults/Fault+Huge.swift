/// Faults on entries of the second-lowest level, which map 2 MiB (`do_huge_pmd_anonymous_page`, `do_huge_pmd_wp_page`).
///
/// They follow the protocol of base pages. If there are no 2 MiB, or only a page of them is to be copied, the fault
/// goes on one level below.
///
/// A huge entry lies wholly inside one mapping. An operation that cuts a mapping publishes the parts first and then
/// splits the entry across the cut. A fault that meets such an entry in between waits for the operation.
extension Fault {
  /// Whether the fault would rather have a huge entry than an empty node.
  ///
  /// It would if the mapping covers the 2 MiB around the address, and shows them aligned. A private mapping's first
  /// store to a file makes one page of its own.
  func wantsHuge(in mapping: VMATree.Mapping) -> Bool {
    guard !isHugeRefused, mapping.value.covers(address.hugeRange) else { return false }
    let attributes = mapping.value.attributes
    if attributes.isAnonymous { return true }
    guard mapping.value.backingPage(of: address.hugeStart) % Page.pagesPerHuge == 0 else { return false }
    return attributes.isShared || !(access.isWrite || access == .unshare)
  }

  // MARK: An empty entry

  mutating func handleHugeAnonymousFault(_ site: FaultSite) -> Outcome {
    // For the zero page, too, unlike a base page's.
    if site.lacksAnonVMA { return .needsAnonVMA }
    if access.isWrite { return installHugeFrame(at: site) }
    // The huge zero page.
    return site.install(site.finish(PTE(mapping: zeroPage).asSpecial.with(PTELayout.huge), writable: false))
  }

  /// Installs 2 MiB of zeroes as the mapping's own.
  private mutating func installHugeFrame(at site: FaultSite) -> Outcome {
    guard let pfn = hugeFrame else { return .needsHugeFrame }
    let pte = PTE(mapping: pfn).with(PTELayout.anonymous, PTELayout.dirty).with(PTELayout.huge)
    if let refusal = site.lock() { return refusal }
    revokeTranslations(of: site)
    // ORDERING [lock-then-begin]: as `installFrame`.
    frames.beginHuge(pfn, anonymous: true, mapped: true)
    site.ptep.store(site.finish(pte, writable: true))
    hugeFrame = nil
    return .done
  }

  mutating func handleHugeBackedFault(_ site: FaultSite) -> Outcome {
    guard let wanted = question(about: site, isHuge: true) else { return .failed(.busError) }
    let attributes = site.mapping.value.attributes
    let storesThrough = wanted.write
    guard let (content, validity) = usableAnswer(to: wanted) else { return ask(wanted) }
    switch content {
    case .mistake(let reason): return .refused(reason)
    case .frame(let pfn) where !attributes.isPFN:
      let outcome = space.with {
        site.insertHuge(pfn, of: $0.memory, storesThrough: storesThrough, validating: validity)
      }
      if case .done = outcome { handAnswerOver() }
      return outcome
    case .frameNumber(let pfn, let mayStore)
    where site.mapping.value.mayShow(pfn, at: site.address) && (!storesThrough || mayStore && frames.isWritable(pfn))
      && (attributes.isPFN || !frames.isValid(pfn) || pfn == zeroPage):
      let isFree = space.with { $0.memory.hasFreeFrame(from: pfn, count: Page.pagesPerHuge, site.section) }
      if isFree { return .refused(.frameNotShared) }
      let writable = mayStore && frames.isWritable(pfn) && attributes.isShared
      return site.insertPFN(pfn, writable: writable, storesThrough: storesThrough, validating: validity)
    default:
      // What the mapping cannot have whole it may have page by page.
      isHugeRefused = true
      return .again
    }
  }

  // MARK: A mapped entry

  /// Copies a page of 2 MiB that are not the mapping's own, one level below. Of the zero page all 2 MiB become new.
  mutating func copyHugePage(_ site: FaultSite) -> Outcome {
    guard isZeroPage(site.pte), !isHugeRefused else { return split(site) }
    if site.lacksAnonVMA { return .needsAnonVMA }
    let outcome = installHugeFrame(at: site)
    if case .done = outcome { events.add(1, to: Counters.copyIndex) }
    return outcome
  }

  /// The first store to 2 MiB of a shared mapping.
  mutating func handleHugeSharedWrite(_ site: FaultSite) -> Outcome {
    // A base page's fault asks the backing about a frame number.
    guard let folio = normalFrame(of: site), site.mapping.value.attributes.takesStores else { return split(site) }
    folio.set(Frame.dirtyBit)
    return site.install(site.finish(site.pte.with(PTELayout.dirty, PTELayout.accessed), writable: true))
  }

  /// Splits the site's entry into 512 entries of a page each (`__split_huge_pmd`).
  ///
  /// ORDERING [lock-then-validate]: as `FaultSite.lock`, but without its yield point. A test that stops there means the
  /// entry which a fault installs, not this step on the way.
  mutating func split(_ site: FaultSite) -> Outcome {
    guard let node = nodes.take() else { return .needsNode }
    YieldPoint.splitBeforeLock.reach()
    guard site.ptep.lock(site.pte) else {
      nodes.giveBack(node)
      return .again
    }
    guard site.mapping.value.isLive else {
      site.ptep.store(site.pte)
      nodes.giveBack(node)
      return .writeLocked
    }
    space.with { $0.fill(node, with: site.pte, at: site.address, in: site.mapping) }
    // ORDERING [node-publish]: the entries come before the link.
    site.ptep.store(node.link)
    return .again
  }
}
