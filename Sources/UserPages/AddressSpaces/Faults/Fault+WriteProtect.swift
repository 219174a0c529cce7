/// Stores that a mapped entry does not allow yet (`do_wp_page`).
extension Fault {
  mutating func handleWriteProtectFault(_ site: FaultSite) -> Outcome {
    let pte = site.pte
    if pte.isWritable {
      // What the processor does: it marks the entry.
      if pte.isDirty, pte.isAccessed { return .done }
      if !pte.isAnonymous, let frame = normalFrame(of: site) { frame.set(Frame.dirtyBit) }
      return site.install(pte.with(PTELayout.dirty, PTELayout.accessed))
    }
    if site.mapping.value.attributes.isShared {
      return site.isHuge ? handleHugeSharedWrite(site) : handleSharedWrite(site)
    }
    if access == .forcedWrite, pte.isExclusive, pte.isDirty { return .done }
    // Reuse only what is exclusive to this mapping, never by a guess from a count that a pin can raise.
    if pte.isExclusive { return reusePage(site) }
    if pte.isAnonymous {
      switch soleUser(of: pte) {
      case .yes: return reusePage(site)
      case .afterDrain: return .needsDrain
      case .no: break
      }
    }
    return site.isHuge ? copyHugePage(site) : copyPage(site, writable: true)
  }

  /// Gives a private mapping a page of its own before a pin for reading, without making it writable
  /// (FAULT_FLAG_UNSHARE). Pin and program then always see one page.
  mutating func handleUnshareFault(_ site: FaultSite) -> Outcome {
    let pte = site.pte
    if pte.isExclusive || site.mapping.value.attributes.isShared { return .done }
    if pte.isAnonymous {
      switch soleUser(of: pte) {
      case .yes:
        if let refusal = lock(site, asSoleUserOf: frames.frame(pte.folioPFN)) { return refusal }
        site.ptep.store(pte.without(PTELayout.cowShared))
        return .done
      case .afterDrain: return .needsDrain
      case .no: break
      }
    }
    return site.isHuge ? split(site) : copyPage(site, writable: false)
  }

  private enum SoleUser { case yes, no, afterDrain }

  /// Whether only this entry holds the frame, so that it may become exclusive again.
  ///
  /// This is a first look. A fork of this space may come and go before the entry is locked, and leave the entry as it
  /// is. So `FaultSite.lock` reads the count again when the entry is locked. Under the lock the answer is sound:
  ///
  /// - A walk that still adds a reference for a get reads the entry again and finds it changed.
  /// - A get in a slot came by the entry when it was exclusive, and the slots are looked at.
  /// - A pin never holds a frame that is not exclusive.
  /// - Only a fork of this space can map the frame once more, and it waits for the locked entry.
  /// - Another space that gave the frame up keeps its reference until a grace period has passed, so no load of its
  ///   threads is under way.
  private func soleUser(of pte: PTE) -> SoleUser {
    let folio = frames.frame(pte.folioPFN)
    if folio.references == 1 { return engine.holdsUncounted(folio, in: frames) ? .no : .yes }
    // The mapcount falls at once, the reference only after a grace period: the surplus may be just that.
    return mayDrain && folio.pins == 0 && frames.mappings(of: pte.folioPFN, upTo: 2) == 1 ? .afterDrain : .no
  }

  /// Locks the entry if it is the only user of `folio`. Nil stands for an exclusive page, which needs no look.
  private func lock(_ site: FaultSite, asSoleUserOf folio: Frame?) -> Outcome? {
    if let refusal = site.lock(asSoleUserOf: folio) { return refusal }
    guard let folio, engine.holdsUncounted(folio, in: frames) else { return nil }
    site.ptep.store(site.pte)
    return .again
  }

  /// Makes the entry writable in place (`wp_page_reuse`).
  private func reusePage(_ site: FaultSite) -> Outcome {
    let folio = site.pte.isExclusive ? nil : frames.frame(site.pte.folioPFN)
    if let refusal = lock(site, asSoleUserOf: folio) { return refusal }
    let pte = site.pte.without(PTELayout.cowShared).with(PTELayout.dirty, PTELayout.accessed)
    site.ptep.store(site.finish(pte, writable: true))
    return .done
  }

  /// The first store to a page of a shared mapping (`wp_page_shared`).
  private mutating func handleSharedWrite(_ site: FaultSite) -> Outcome {
    let attributes = site.mapping.value.attributes
    guard let frame = normalFrame(of: site) else {
      // A frame number. Either it takes no stores, or the entry was clean when the mapping's attributes changed
      // (`adapt`). With the entry out of the way, the fault asks the backing for a page that takes them. A device gives
      // the same one, writable (`wp_pfn_shared`). A migrating image moves the page into the page cache.
      return emptyEntry(of: site)
    }
    // A frame of a read-only file: the tail of a file of an image.
    if !attributes.takesStores { return .failed(.busError) }
    if attributes.writesBack { return handleTrackedWrite(site, frame) }
    frame.set(Frame.dirtyBit)
    return site.install(site.finish(site.pte.with(PTELayout.dirty, PTELayout.accessed), writable: true))
  }

  /// The same for a backing that writes stores back: it is asked first (`do_page_mkwrite`).
  ///
  /// ORDERING [lock-then-validate]: `FaultSite.lock` looks at the sequence when the entry is locked: (f3) of
  /// `PageCache`.
  private mutating func handleTrackedWrite(_ site: FaultSite, _ frame: Frame) -> Outcome {
    guard let backing = site.mapping.value.attributes.backing else { return .failed(.busError) }
    let page = site.mapping.value.backingPage(of: site.address)
    let wanted = FaultQuestion(backing: backing, page: page, write: true, isHuge: false, isMapped: true)
    guard let (content, validity) = usableAnswer(to: wanted) else { return ask(wanted) }
    switch content {
    case .permission: break
    case .failure(let error): return .failed(error)
    default: return ask(wanted)
    }
    if let refusal = site.lock(validating: validity) { return refusal }
    frame.set(Frame.dirtyBit)
    site.ptep.store(site.finish(site.pte.with(PTELayout.dirty, PTELayout.accessed), writable: true))
    return .done
  }

  /// Empties the entry, so that the next attempt asks the backing. Loads through the entry may be under way: an unmap
  /// that meets the empty entry waits for them.
  private func emptyEntry(of site: FaultSite) -> Outcome {
    var outcome = Outcome.again
    space.with { space in
      space.staleAccesses.emptyingEntries {
        if let refusal = site.lock() {
          outcome = refusal
          return false
        }
        revokeTranslations(of: site)
        site.ptep.store(.empty)
        return true
      }
    }
    return outcome
  }

  /// Copies what the entry shows, and maps the copy in its place (`wp_page_copy`).
  ///
  /// The entry shows a frame with or without a descriptor, or zeroes. For a frame without a descriptor this is the 2005
  /// mail's `do_wp_reserved`.
  ///
  /// An anonymous original is retained while it is copied, as in Linux. While the reference is held, no thread finds
  /// itself the frame's sole user, so no store changes what is copied. The models `copy` and `breakup` hold without it:
  /// each operation that brings an entry back waits for a grace period, and so for this section. The reference keeps
  /// the copy right without that argument, for one atomic addition a copy.
  private mutating func copyPage(_ site: FaultSite, writable: Bool) -> Outcome {
    let pte = site.pte
    let isZeroPage = isZeroPage(pte)
    if site.lacksAnonVMA { return .needsAnonVMA }
    guard let copy = frame, copy.isZeroed || !isZeroPage else { return .needsFrame(zeroed: isZeroPage) }
    let original = normalFrame(of: site)
    let folio = frames.frame(pte.folioPFN)
    if pte.isAnonymous {
      guard folio.retain(Frame.oneReference) else {
        put(folio)
        return .failed(.outOfMemory)
      }
      YieldPoint.copyBetweenReferenceAndSecondLook.reach()
      guard site.ptep.load() == pte else {
        put(folio)
        return .again
      }
    }
    YieldPoint.copyBetweenSecondLookAndContents.reach()
    // A page that an image's real file has lost: never an anonymous one, so there is no reference to give back.
    if !isZeroPage, !fillFrame(from: pte.pfn) { return .failed(.pageOfFileIsLost) }
    YieldPoint.copyBetweenContentsAndInstall.reach()
    let outcome = installFrame(at: site, writable: writable)
    YieldPoint.copyBetweenInstallAndPut.reach()
    if pte.isAnonymous { put(folio) }
    guard case .done = outcome else { return outcome }
    events.add(1, to: Counters.copyIndex)
    if let original {
      // Loads that read the old entry may be under way: the reference falls a grace period later.
      space.with {
        $0.memory.removeMapping(of: original, partOf: pte.privateHugePFN)
        $0.memory.putAfterGracePeriod(pte.folioPFN)
      }
    } else {
      tellLater(site, copy: copy.pfn)
    }
    return .done
  }
}
