/// First touches of what a backing shows (`do_fault`).
extension Fault {
  mutating func handleBackedFault(_ site: FaultSite) -> Outcome {
    guard let wanted = question(about: site, isHuge: false) else { return .failed(.busError) }
    let attributes = site.mapping.value.attributes
    let storesThrough = wanted.write
    let copies = access.isWrite && !attributes.isShared
    if copies, site.lacksAnonVMA { return .needsAnonVMA }
    guard let (content, validity) = usableAnswer(to: wanted) else { return ask(wanted) }
    switch content {
    case .failure(let error): return .failed(error)
    case .mistake(let reason): return .refused(reason)
    case .retry, .noHugeFrame, .permission: return ask(wanted)
    case .frame(let pfn):
      if attributes.isPFN { return .refused(.frameInPFNMapping) }
      if copies { return handleCopyOnWriteFault(site, copying: pfn, validity) }
      let outcome = space.with {
        site.insertPage(pfn, of: $0.memory, storesThrough: storesThrough, validating: validity)
      }
      if case .done = outcome { handAnswerOver() }
      return outcome
    case .frameNumber(let pfn, let mayStore):
      // Whatever the backing says: a store to memory that is mapped for reading would end the process.
      let writable = mayStore && frames.isWritable(pfn)
      if frames.kind(of: pfn) == .hole { return .refused(.noSuchFrame) }
      guard site.mapping.value.mayShow(pfn, at: site.address) else { return .refused(.frameOutOfOrder) }
      // The zero page is never refcounted, as for anonymous memory: a hole in a file of an image.
      let isCounted = !attributes.isPFN && !attributes.isSecret && frames.isValid(pfn) && pfn != zeroPage
      if !isCounted, space.with({ $0.memory.hasFreeFrame(from: pfn, count: 1, site.section) }) {
        return .refused(.frameNotShared)
      }
      if copies {
        return isCounted
          ? handleCopyOnWriteFault(site, retaining: pfn, validity)
          : handleCopyOnWriteFault(site, copying: pfn, validity)
      }
      if isCounted {
        return space.with { site.insertMixed(pfn, of: $0.memory, storesThrough: storesThrough, validating: validity) }
      }
      if storesThrough, !writable { return .failed(.busError) }
      return site.insertPFN(
        pfn, writable: writable && attributes.isShared, storesThrough: storesThrough, validating: validity)
    }
  }

  /// What a first touch asks the mapping's backing. Nil if the mapping has none.
  func question(about site: FaultSite, isHuge: Bool) -> FaultQuestion? {
    let attributes = site.mapping.value.attributes
    return attributes.backing.map {
      FaultQuestion(
        backing: $0, page: site.mapping.value.backingPage(of: site.address),
        write: access.isWrite && attributes.isShared,
        isHuge: isHuge)
    }
  }

  /// A private mapping's first store: it goes straight to a copy, and the original is never mapped (`do_cow_fault`).
  private mutating func handleCopyOnWriteFault(
    _ site: FaultSite, copying original: PFN, _ validity: AnswerValidity
  ) -> Outcome {
    guard let copy = frame?.pfn else { return .needsFrame(zeroed: false) }
    // If the image's real file was truncated, no page is left to copy.
    guard fillFrame(from: original) else { return .failed(.pageOfFileIsLost) }
    let outcome = installFrame(at: site, validating: validity)
    guard case .done = outcome else { return outcome }
    events.add(1, to: Counters.copyIndex)
    if !frames.isValid(original) { tellLater(site, copy: copy) }
    return .done
  }

  /// The same for an original that the backing names by number and this kind of mapping refcounts. Without a reference
  /// the original could be freed and become another program's while it is copied.
  private mutating func handleCopyOnWriteFault(
    _ site: FaultSite, retaining original: PFN, _ validity: AnswerValidity
  ) -> Outcome {
    if frame == nil { return .needsFrame(zeroed: false) }
    let folio: Frame
    do throws(PageError) {
      let retained = try space.with { space throws(PageError) in try space.memory.retainShared(original, site.section) }
      guard let retained else { return .refused(.frameNotShared) }
      folio = retained
    } catch {
      return .failed(error)
    }
    defer { put(folio) }
    return handleCopyOnWriteFault(site, copying: original, validity)
  }

  /// Fills the fault's frame with a page's contents. Returns false if that is a page of a real file that the file no
  /// longer has.
  mutating func fillFrame(from original: PFN) -> Bool {
    guard let pfn = frame?.pfn else { return false }
    frame = NewFrame(pfn: pfn, isZeroed: false)
    return frames.bytes(of: pfn).copyIfReadable(page: frames.bytes(of: original))
  }

  /// Has the backing told, after the section, that `copy` was installed for one of its pages without a descriptor.
  ///
  /// ORDERING [deferred-free]: if another thread unmaps the page, the entry's reference falls a grace period later. So
  /// there is a reference to add to.
  mutating func tellLater(_ site: FaultSite, copy: PFN) {
    guard let backing = site.mapping.value.attributes.backing else { return }
    frames.frame(copy).addReferences(1)
    let page = site.mapping.value.backingPage(of: site.address)
    space.with {
      copied = CopiedPage(backing: backing, page: page, copy: FrameReference(owning: copy, in: $0.memory))
    }
  }
}
