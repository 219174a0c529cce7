/// Installing entries ahead of a fault, or from inside a backing's own fault handler: Linux's `vm_insert_page`,
/// `vmf_insert_pfn` and `vmf_insert_mixed`, with their checks.
///
/// A backing that answers faults needs none of these. They are for one that fills in neighbours of the faulting page, or
/// maps everything at once as `remap_pfn_range` does. Memory without descriptors that is inserted by number must live as long
/// as the mapping: the mapping holds its own backing, and knows of no other.
extension AddressSpace {
  /// Maps a frame that has a descriptor and takes a reference for the entry (`vm_insert_page`).
  ///
  /// - Throws: `badAddress` where there is no mapping; `invalidArgument` where the mapping is anonymous or a pfn mapping, or
  ///   the frame has no descriptor, no user, or is anonymous memory; `busy` where something is mapped there;
  ///   `outOfMemory` where the frame has too many references.
  public func insertPage(_ pfn: PFN, at address: VirtualAddress) throws(PageError) {
    try insert(at: address) { site, attributes in
      guard !attributes.isAnonymous, !attributes.kind.isPFN, self.frames.isValid(pfn),
        pfn != self.memory.zeroPage
      else { return .failed(.invalidArgument) }
      let folio: Frame
      do throws(PageError) {
        guard let retained = try self.memory.retainShared(pfn) else { return .failed(.invalidArgument) }
        folio = retained
      } catch {
        return .failed(error)
      }
      let outcome = self.insertPage(pfn, site, storesThrough: false, nil)
      if case .done = outcome { return outcome }
      self.memory.put(folio, Frame.oneReference)
      return outcome
    }
  }

  /// Maps a frame number: a special entry, no reference (`vmf_insert_pfn`).
  ///
  /// - Parameters:
  ///   - pfn: the frame's number.
  ///   - address: page-aligned.
  ///   - writable: whether stores through a shared mapping may go there.
  /// - Throws: `badAddress` where there is no mapping; `invalidArgument` where the mapping is neither pfn nor mixed, where a
  ///   mixed mapping would have to refcount the frame (it has a descriptor: use `insertMixed`), where a private pfn mapping
  ///   would not be linear any more (copy-on-write could not tell the original), or where no memory has that number; `busy`
  ///   where something else is mapped there.
  public func insertPFN(_ pfn: PFN, at address: VirtualAddress, writable: Bool = false) throws(PageError) {
    guard memory.sections.fill(pfn, count: 1) else { throw .outOfMemory }
    try insert(at: address) { site, attributes in
      guard attributes.kind.isPFN || attributes.kind.isMixed, self.frames.kind(of: pfn) != .hole,
        !(attributes.kind.isMixed && self.frames.isValid(pfn)), site.mapping.value.mayShow(pfn, at: address)
      else { return .failed(.invalidArgument) }
      return self.insertPFN(pfn, site, writable: writable && attributes.isShared, storesThrough: false, nil)
    }
  }

  /// Maps a frame number in a mixed mapping: with a reference where it has a descriptor, without where it has none
  /// (`vmf_insert_mixed`).
  ///
  /// - Throws: `badAddress` where there is no mapping; `invalidArgument` where the mapping is not mixed, where no memory has
  ///   that number, or where the frame has no user or is anonymous memory; `busy` where something else is mapped there.
  public func insertMixed(_ pfn: PFN, at address: VirtualAddress, writable: Bool = false) throws(PageError) {
    guard memory.sections.fill(pfn, count: 1) else { throw .outOfMemory }
    try insert(at: address) { site, attributes in
      guard attributes.kind.isMixed, self.frames.kind(of: pfn) != .hole else { return .failed(.invalidArgument) }
      if !self.frames.isValid(pfn) || pfn == self.memory.zeroPage {
        return self.insertPFN(pfn, site, writable: writable && attributes.isShared, storesThrough: false, nil)
      }
      let outcome = self.insertMixed(pfn, site, storesThrough: false, nil)
      if case .failed(.busError) = outcome { return .failed(.invalidArgument) }
      return outcome
    }
  }

  /// Maps 2 MiB by number: a special entry of the second-lowest level (`vmf_insert_pfn_pmd`).
  ///
  /// - Parameters:
  ///   - pfn: the first of 512, aligned to 2 MiB.
  ///   - address: aligned to 2 MiB.
  ///   - writable: whether stores through a shared mapping may go there.
  /// - Throws: `badAddress` where there is no mapping; `invalidArgument` where something is not aligned, where the mapping may
  ///   not have 2 MiB entries or does not cover these, where not all of them are memory, and as `insertPFN`; `busy` where
  ///   something is mapped there, or was page by page since the range was mapped.
  public func insertHugePFN(_ pfn: PFN, at address: VirtualAddress, writable: Bool = false) throws(PageError) {
    guard address == address.hugeStart, pfn.isHugeAligned else { throw .invalidArgument }
    guard memory.sections.fill(pfn, count: Page.pagesPerHuge) else { throw .outOfMemory }
    try insert(at: address, isHuge: true) { site, attributes in
      guard attributes.kind.isPFN || attributes.kind.isMixed, self.frames.isWhole(from: pfn),
        !(attributes.kind.isMixed && self.frames.isValid(pfn)), site.mapping.value.mayShow(pfn, at: address),
        attributes.hugePages, site.mapping.value.covers(address.hugeRange)
      else { return .failed(.invalidArgument) }
      return self.insertHugePFN(pfn, site, writable: writable && attributes.isShared, storesThrough: false, nil)
    }
  }

  /// The attempts at one insertion. `body` runs inside a read-side section with an empty entry.
  private func insert(
    at address: VirtualAddress, isHuge: Bool = false, _ body: (FaultSite, VMA.Attributes) -> FaultOutcome
  ) throws(PageError) {
    guard address.isPageAligned else { throw .invalidArgument }
    guard address < VirtualAddress.limit else { throw .badAddress }
    var spare = SpareNodes(memory)
    var turns = 0
    while true {
      let outcome = RCU.read { () -> FaultOutcome in
        guard let mapping = mappings.find(address) else { return .failed(.badAddress) }
        guard mapping.value.isLive else { return mapping.value.isDetached ? .again : .sealed }
        YieldPoint.faultBeforeWalk.reach()
        let ptep: PTEPointer
        let isWanted: Bool
        switch table.walk(to: address, wantsHuge: isHuge, using: &spare) {
        case .needsNode: return .needsNode
        case .base(let found): (ptep, isWanted) = (found, !isHuge)
        case .huge(let found): (ptep, isWanted) = (found, isHuge)
        }
        let pte = ptep.load()
        if pte.isBusy || pte.nonPresentKind == .migration || TableNode(link: pte) != nil { return .again }
        guard isWanted else {
          // A node is something, too, where 2 MiB are to be mapped. What was in the way of one may be gone by now.
          return isHuge || !pte.isEmpty ? .failed(.busy) : .again
        }
        guard pte.isEmpty else { return .failed(.busy) }
        return body(FaultSite(address: address, mapping: mapping, ptep: ptep, pte: pte), mapping.value.attributes)
      }
      switch outcome {
      case .done: return
      case .failed(let error):
        if spare.haveBeenLinked { unlinkVacantNodesAfterFault(around: address, holdsMmapLock: false) }
        throw error
      case .needsNode: spare.add()
      case .sealed: mmapLock.waitForWriter()
      default: PTEPointer.wait(&turns)
      }
    }
  }
}

extension PhysicalMemory {
  /// Retains the frame that holds the counts for `pfn`, a number that a backing or a caller names. Returns nil if the frame is
  /// free, or a program's private memory: that is not to be mapped by number.
  ///
  /// ORDERING [lock-then-begin]: a fault gives its new frame the first reference when the entry is locked and nothing can stop it
  /// from installing. So a frame that is retained here is installed, or in the page cache, or was so.
  ///
  /// The first look spares another program's page the moment with one reference more, which would make its next store a copy.
  /// The look that counts is the second one: the frame may have been freed and become private memory before it was retained.
  ///
  /// - Throws: `outOfMemory` where the frame has too many references.
  func retainShared(_ pfn: PFN) throws(PageError) -> Frame? {
    if frames.frame(pfn).has(Frame.anonymousBit) { return nil }
    YieldPoint.numberBetweenLookAndReference.reach()
    guard let folio = try retainFolio(of: pfn) else { return nil }
    YieldPoint.numberBetweenReferenceAndSecondLook.reach()
    guard frames.frame(pfn).has(Frame.anonymousBit) else { return folio }
    // It may be the last reference by now.
    put(folio, Frame.oneReference)
    return nil
  }
}
