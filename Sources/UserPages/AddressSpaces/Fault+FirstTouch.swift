/// Faults on entries that are empty (`do_anonymous_page`, `do_fault`).
extension AddressSpace {
  func firstTouch(_ site: FaultSite, _ access: FaultAccess, _ resources: inout FaultResources) -> FaultOutcome {
    site.mapping.value.attributes.isAnonymous
      ? touchAnonymous(site, access, &resources) : touchBacked(site, access, &resources)
  }

  /// The entry that a writer's own, new frame gets.
  private func ownEntry(_ pfn: PFN, _ site: FaultSite) -> PTE {
    var pte = PTE(mapping: pfn).with(PTELayout.anonymous, PTELayout.dirty)
    engine.markOwn(&pte)
    return site.finish(pte, writable: true)
  }

  private func touchAnonymous(_ site: FaultSite, _ access: FaultAccess, _ resources: inout FaultResources)
    -> FaultOutcome
  {
    guard access.isWrite else {
      // The zero page is special, so no operation counts references on the one frame that every space maps.
      let pte = PTE(mapping: memory.zeroPage).asSpecial
      return install(site.finish(pte, writable: false), at: site)
    }
    guard let pfn = resources.frame else { return .needsFrame }
    frames.bytes(of: pfn).fill(0)
    return installOwn(pfn, site, &resources)
  }

  /// Installs a new frame, filled already, as the mapping's own.
  ///
  /// ORDERING [lock-then-begin]: the frame gets its first reference when the entry is locked and nothing can stop the fault from
  /// installing. Before, a thread that names the frame by number finds no reference to add to (`retainShared`), so a fault
  /// that loses its race may discard the frame:
  ///
  ///     1. the fault begins the frame                        2. a mixed mapping's fault names the frame, retains and maps it
  ///     3. the fault loses its entry, discards the frame     4. the frame is given out again, and still mapped there
  ///
  /// - Parameter answer: the backing's answer that the contents come from, if they do.
  func installOwn(
    _ pfn: PFN, _ site: FaultSite, writable: Bool = true, _ resources: inout FaultResources,
    validating answer: BackingAnswer? = nil
  ) -> FaultOutcome {
    let pte =
      writable ? ownEntry(pfn, site) : site.finish(PTE(mapping: pfn).with(PTELayout.anonymous), writable: false)
    if let refusal = lock(site, validating: answer) { return refusal }
    frames.frame(pfn).begin(anonymous: true, mapped: true)
    site.ptep.store(pte)
    resources.frame = nil
    return .done
  }

  private func touchBacked(_ site: FaultSite, _ access: FaultAccess, _ resources: inout FaultResources) -> FaultOutcome
  {
    let attributes = site.mapping.value.attributes
    guard let backing = attributes.kind.backing else { return .failed(.busError) }
    let page = site.mapping.value.backingPage(of: site.address)
    let storesThrough = access.isWrite && attributes.isShared
    let question = FaultQuestion(page: page, write: storesThrough, isHuge: false)
    // A refusal installs nothing, so it holds whatever has moved since. The image's refusal to move a page counts as a move:
    // asked again, the fault would be refused again, without end.
    guard let answer = resources.answer, answer.backing === backing, answer.question == question,
      answer.answer.isRefusal || answer.holds
    else { return .needsAnswer(backing, question) }
    switch answer.answer {
    case .busError: return .failed(.busError)
    case .outOfMemory: return .failed(.outOfMemory)
    case .retry: return .again
    case .frame(let pfn):
      // A pfn mapping refcounts nothing, so it cannot show a frame that lives by its references.
      if attributes.kind.isPFN || !frames.isValid(pfn) { return .failed(.busError) }
      if access.isWrite, !attributes.isShared { return touchCopy(of: pfn, page: page, site, &resources, answer) }
      let outcome = insertPage(pfn, site, storesThrough: storesThrough, answer)
      // The entry holds the answer's reference now.
      if case .done = outcome { resources.answer = nil }
      return outcome
    case .frameNumber(let pfn, let writable):
      if frames.kind(of: pfn) == .hole { return .failed(.busError) }
      if access.isWrite, !attributes.isShared {
        return touchCopy(ofNumber: pfn, page: page, site, &resources, answer)
      }
      guard site.mapping.value.mayShow(pfn, at: site.address) else { return .failed(.busError) }
      // The one frame of zeroes is never refcounted, as for anonymous memory: a hole in a file of an image.
      if attributes.kind.isPFN || !frames.isValid(pfn) || pfn == memory.zeroPage {
        if storesThrough, !writable { return .failed(.busError) }
        return insertPFN(pfn, site, writable: writable && attributes.isShared, storesThrough: storesThrough, answer)
      }
      return insertMixed(pfn, site, storesThrough: storesThrough, answer)
    }
  }

  /// A private mapping's first store: straight to a copy, the original is never mapped (`do_cow_fault`).
  private func touchCopy(
    of original: PFN, page: Int, _ site: FaultSite, _ resources: inout FaultResources, _ answer: BackingAnswer
  ) -> FaultOutcome {
    guard let pfn = resources.frame else { return .needsFrame }
    // Of an image whose real file was truncated, no page is left to copy.
    guard frames.bytes(of: pfn).copyIfReadable(page: frames.bytes(of: original)) else { return .failed(.busError) }
    let outcome = installOwn(pfn, site, &resources, validating: answer)
    if case .done = outcome {
      events.add(1, to: Counters.copyIndex)
      if !frames.isValid(original) { tellLater(answer.backing, page: page, copy: pfn, &resources) }
    }
    return outcome
  }

  /// The same for an original that the backing names by number. If mappings of this kind refcount it, the copy does, too: the
  /// frame could be freed and become another program's while it is read.
  private func touchCopy(
    ofNumber original: PFN, page: Int, _ site: FaultSite, _ resources: inout FaultResources, _ answer: BackingAnswer
  ) -> FaultOutcome {
    guard !site.mapping.value.attributes.kind.isPFN, frames.isValid(original), original != memory.zeroPage else {
      return touchCopy(of: original, page: page, site, &resources, answer)
    }
    guard resources.frame != nil else { return .needsFrame }
    let folio: Frame
    do throws(PageError) {
      guard let retained = try memory.retainShared(original) else { return .failed(.busError) }
      folio = retained
    } catch {
      return .failed(error)
    }
    defer { memory.put(folio, Frame.oneReference) }
    return touchCopy(of: original, page: page, site, &resources, answer)
  }

  /// Maps a frame that has a descriptor, with the reference that came with it (`vm_insert_page`).
  func insertPage(_ pfn: PFN, _ site: FaultSite, storesThrough: Bool, _ answer: BackingAnswer?) -> FaultOutcome {
    let frame = frames.frame(pfn)
    var pte = PTE(mapping: pfn)
    if frame.has(Frame.hugeBit) { pte.set(PTELayout.huge) }
    // Read-only until the first store, which is how the frame learns that it is dirty.
    if storesThrough {
      pte.set(PTELayout.dirty)
      frame.set(Frame.dirtyBit)
    }
    // ORDERING [map-then-flush]: the mapping is counted, the clean bit is looked at after.
    frame.addMapping()
    YieldPoint.mapBetweenCountAndFlush.reach()
    memory.dataCacheClean(pfn)
    let outcome = install(site.finish(pte, writable: storesThrough), at: site, validating: answer)
    if case .done = outcome { return outcome }
    frame.removeMapping()
    return outcome
  }

  /// Maps a frame number: the entry is special and holds no reference, whatever is behind it (`vmf_insert_pfn`).
  func insertPFN(
    _ pfn: PFN, _ site: FaultSite, writable: Bool, storesThrough: Bool, _ answer: BackingAnswer?
  ) -> FaultOutcome {
    var pte = PTE(mapping: pfn).asSpecial
    if storesThrough { pte.set(PTELayout.dirty) }
    return install(site.finish(pte, writable: writable), at: site, validating: answer)
  }

  /// Maps a frame number that turned out to have a descriptor: in a mixed mapping it is refcounted (`vmf_insert_mixed`). A bus
  /// error if the frame is free, or a program's private memory.
  func insertMixed(_ pfn: PFN, _ site: FaultSite, storesThrough: Bool, _ answer: BackingAnswer?) -> FaultOutcome {
    let folio: Frame
    do throws(PageError) {
      guard let retained = try memory.retainShared(pfn) else { return .failed(.busError) }
      folio = retained
    } catch {
      return .failed(error)
    }
    let outcome = insertPage(pfn, site, storesThrough: storesThrough, answer)
    if case .done = outcome { return outcome }
    memory.put(folio, Frame.oneReference)
    return outcome
  }
}

extension FaultSite {
  /// The entry as the mapping's protection has it: writable only where both allow it, protnone where nothing is allowed
  /// (which only a forced access gets to install).
  func finish(_ pte: PTE, writable: Bool) -> PTE {
    let protection = mapping.value.attributes.protection
    if protection == .none { return pte.withoutAccess }
    return writable && protection.contains(.write) ? pte.with(PTELayout.writable) : pte
  }
}
