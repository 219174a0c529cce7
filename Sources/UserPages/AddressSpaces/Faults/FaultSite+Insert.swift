/// Entries for what a backing answers or a caller inserts: Linux's `vm_insert_page`, `vmf_insert_pfn`,
/// `vmf_insert_mixed` and their 2 MiB twins, after the checks.
extension FaultSite {
  /// Maps a frame that has a descriptor. If the outcome is `done`, the entry owns the reference that the caller held
  /// (`vm_insert_page`).
  ///
  /// The entry is read-only until the first store, from which the frame learns that it is dirty.
  func insertPage(
    _ pfn: PFN, of memory: PhysicalMemory, storesThrough: Bool = false, validating validity: AnswerValidity? = nil
  ) -> Fault.Outcome {
    let frame = memory.frames.frame(pfn)
    var new = PTE(mapping: pfn)
    if frame.has(Frame.hugeBit) { new.set(PTELayout.huge) }
    // Before the entry is there: a pin by the fast path sees the frame, and not the mapping.
    if mapping.value.attributes.writesBack { memory.frames.frame(new.folioPFN).set(Frame.writtenBackBit) }
    if storesThrough {
      new.set(PTELayout.dirty)
      frame.set(Frame.dirtyBit)
    }
    // ORDERING [map-then-flush]: the mapping is counted, the clean bit is looked at after.
    frame.addMapping()
    YieldPoint.mapBetweenCountAndFlush.reach()
    memory.dataCacheClean(pfn)
    let outcome = install(finish(new, writable: storesThrough), validating: validity)
    if case .done = outcome { return outcome }
    if frame.has(Frame.writtenBackBit) {
      // ORDERING [deferred-free]: a write-back may have counted the mapping, and not yet the reference
      // (`PageCache.hasOtherReferences`). The caller may put its own at once, so another one stays as an entry's does.
      frame.addReferences(1)
      memory.putAfterGracePeriod(pfn)
    }
    frame.removeMapping()
    return outcome
  }

  /// Maps 2 MiB of the page cache. If the outcome is `done`, the entry owns the reference that the caller held
  /// (`do_set_pmd`).
  func insertHuge(
    _ pfn: PFN, of memory: PhysicalMemory, storesThrough: Bool, validating validity: AnswerValidity
  ) -> Fault.Outcome {
    let folio = memory.frames.frame(pfn)
    var new = PTE(mapping: pfn).with(PTELayout.huge)
    guard folio.addHugeMapping() else { return .failed(.outOfMemory) }
    if storesThrough {
      new.set(PTELayout.dirty)
      folio.set(Frame.dirtyBit)
    }
    for index in 0..<Page.pagesPerHuge { memory.dataCacheClean(pfn + index) }
    let outcome = install(finish(new, writable: storesThrough), validating: validity)
    if case .done = outcome { return outcome }
    folio.removeHugeMapping()
    return outcome
  }

  /// Maps a frame number, or 512 of them by a huge entry. The entry is special: it holds no reference, even if the
  /// frame has a descriptor (`vmf_insert_pfn`, `vmf_insert_pfn_pmd`).
  func insertPFN(
    _ pfn: PFN, writable: Bool, storesThrough: Bool = false, validating validity: AnswerValidity? = nil
  ) -> Fault.Outcome {
    var new = PTE(mapping: pfn).asSpecial
    if isHuge { new.set(PTELayout.huge) }
    if storesThrough { new.set(PTELayout.dirty) }
    return install(finish(new, writable: writable), validating: validity)
  }

  /// Maps a frame number that has a descriptor, and retains the frame for the entry (`vmf_insert_mixed`). Refused if
  /// the frame is free, or a program's private memory.
  func insertMixed(
    _ pfn: PFN, of memory: PhysicalMemory, storesThrough: Bool = false, validating validity: AnswerValidity? = nil
  ) -> Fault.Outcome {
    let folio: Frame
    do throws(PageError) {
      guard let retained = try memory.retainShared(pfn, section) else { return .refused(.frameNotShared) }
      folio = retained
    } catch {
      return .failed(error)
    }
    let outcome = insertPage(pfn, of: memory, storesThrough: storesThrough, validating: validity)
    if case .done = outcome { return outcome }
    memory.put(folio, Frame.oneReference)
    return outcome
  }
}
