/// Faults on entries that are there: stores that the entry does not allow yet (`do_wp_page`, `do_huge_pmd_wp_page`).
extension AddressSpace {
  func writeTouch(
    _ site: FaultSite, _ access: FaultAccess, _ resources: inout FaultResources, mayDrain: Bool
  ) -> FaultOutcome {
    let pte = site.pte
    if pte.isWritable {
      // What hardware does: mark the entry.
      if pte.isDirty, pte.isAccessed { return .done }
      if !pte.isAnonymous, let frame = normalFrame(of: site) { frame.set(Frame.dirtyBit) }
      return install(pte.with(PTELayout.dirty, PTELayout.accessed), at: site)
    }
    if site.mapping.value.attributes.isShared {
      return site.isHuge ? writeSharedHuge(site, &resources) : writeShared(site)
    }
    if access == .forcedWrite, pte.isExclusive, pte.isDirty { return .done }
    // Reuse only what is exclusive to this mapping, never by guessing from a count that a pin can raise.
    if pte.isExclusive { return reuse(site) }
    if pte.isAnonymous {
      switch soleUser(of: pte, mayDrain: mayDrain) {
      case .yes: return reuse(site)
      case .afterDrain: return .needsDrain
      case .no: break
      }
    }
    return site.isHuge ? copyHuge(site, &resources) : copy(site, writable: true, &resources)
  }

  /// Gives a private mapping a page of its own before a pin for reading, without making it writable
  /// (FAULT_FLAG_UNSHARE), so that pin and program will always see the same page.
  func unshare(_ site: FaultSite, _ resources: inout FaultResources, mayDrain: Bool) -> FaultOutcome {
    let pte = site.pte
    if pte.isExclusive || site.mapping.value.attributes.isShared { return .done }
    if pte.isAnonymous {
      switch soleUser(of: pte, mayDrain: mayDrain) {
      case .yes: return install(pte.without(PTELayout.cowShared), at: site, asSoleUser: true)
      case .afterDrain: return .needsDrain
      case .no: break
      }
    }
    return site.isHuge ? split(site, &resources) : copy(site, writable: false, &resources)
  }

  private enum SoleUser { case yes, no, afterDrain }

  /// Whether this entry alone has the frame, so that the frame may become exclusive again.
  ///
  /// A first look: the answer is asked for again when the entry is locked (`install`), because a fork of this space may come
  /// and go in between and leave the entry as it is. Then it is sound: a walker that still adds a reference for a get looks at
  /// the entry again and finds it changed; a pin never takes a frame that is not exclusive; another mapping of it can only be
  /// made by a fork of this space, which finds the entry locked. Another space that just gave the frame up keeps its reference
  /// until a grace period has passed, so no load of its threads is still under way.
  private func soleUser(of pte: PTE, mayDrain: Bool) -> SoleUser {
    let frame = frames.frame(pte.folioPFN)
    if frame.references == 1 { return .yes }
    // The mapcount falls at once, the reference only after a grace period: it may be just that.
    return mayDrain && frame.pins == 0 && frames.mappings(of: pte.folioPFN) == 1 ? .afterDrain : .no
  }

  private func reuse(_ site: FaultSite) -> FaultOutcome {
    let pte = site.pte.without(PTELayout.cowShared).with(PTELayout.dirty, PTELayout.accessed)
    return install(site.finish(pte, writable: true), at: site, asSoleUser: !site.pte.isExclusive)
  }

  /// The first store to a page of a shared mapping (`wp_page_shared`).
  private func writeShared(_ site: FaultSite) -> FaultOutcome {
    guard let frame = normalFrame(of: site) else {
      // A frame number that takes stores is writable from the start. This one does not: ask the backing for something
      // that does (a migrating image moves the page into the page cache), with the entry out of the way.
      if site.mapping.value.attributes.kind.isPFN { return .failed(.busError) }
      // Loads through the entry may be under way: an unmap that meets the empty entry waits for them.
      var outcome = FaultOutcome.again
      staleAccesses.emptyingEntries {
        outcome = install(.empty, at: site)
        if case .done = outcome { return true }
        return false
      }
      return outcome.retried
    }
    // A page of a read-only file that has a descriptor all the same: the tail of a file of an image.
    if !site.mapping.value.attributes.takesStores { return .failed(.busError) }
    frame.set(Frame.dirtyBit)
    return install(site.finish(site.pte.with(PTELayout.dirty, PTELayout.accessed), writable: true), at: site)
  }

  /// Copies what the entry shows, a frame with or without a descriptor, or zeroes, and maps the copy in its place
  /// (`wp_page_copy`; for a frame without a descriptor the 2005 mail's `do_wp_reserved`).
  ///
  /// An anonymous original is referenced while it is copied. Without the reference a store is lost:
  ///
  /// 1. the frame's other user exits;
  /// 2. a thread reuses the frame in place and stores to it;
  /// 3. a fork write-protects the entry, back to the value read here;
  /// 4. this fault installs its copy, made before the store.
  private func copy(_ site: FaultSite, writable: Bool, _ resources: inout FaultResources) -> FaultOutcome {
    guard let pfn = resources.frame else { return .needsFrame }
    let pte = site.pte
    let original = normalFrame(of: site)
    let folio = frames.frame(pte.folioPFN)
    if pte.isAnonymous {
      guard folio.retain(Frame.oneReference) else {
        memory.put(folio, Frame.oneReference)
        return .failed(.outOfMemory)
      }
      YieldPoint.copyBetweenReferenceAndSecondLook.reach()
      guard site.ptep.load() == pte else {
        memory.put(folio, Frame.oneReference)
        return .again
      }
    }
    YieldPoint.copyBetweenSecondLookAndContents.reach()
    if isZeroPage(pte) {
      frames.bytes(of: pfn).fill(0)
    } else if !frames.bytes(of: pfn).copyIfReadable(page: frames.bytes(of: pte.pfn)) {
      // A page of an image whose real file was truncated: never an anonymous one, so there is no reference to give back.
      return .failed(.busError)
    }
    YieldPoint.copyBetweenContentsAndInstall.reach()
    let outcome = installOwn(pfn, site, writable: writable, &resources)
    YieldPoint.copyBetweenInstallAndPut.reach()
    if pte.isAnonymous { memory.put(folio, Frame.oneReference) }
    guard case .done = outcome else { return outcome }
    events.add(1, to: Counters.copyIndex)
    if original == nil, let backing = site.mapping.value.attributes.kind.backing {
      tellLater(backing, page: site.mapping.value.backingPage(of: site.address), copy: pfn, &resources)
    }
    if let original {
      original.removeMapping()
      // Loads that read the old entry may be under way: the reference falls a grace period later.
      memory.putAfterGracePeriod(pte.folioPFN)
    }
    return .done
  }
}

extension FaultOutcome {
  /// Not the end of the fault yet.
  fileprivate var retried: FaultOutcome { if case .done = self { .again } else { self } }
}
