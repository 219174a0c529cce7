/// Entries ahead of a fault, or from inside a backing's own fault handler: Linux's `vm_insert_page`, `vmf_insert_pfn`
/// and `vmf_insert_mixed`, with their checks.
///
/// A backing that only answers faults needs none of these. They are for a backing that fills in neighbours of the
/// faulting page, or maps everything at once, as `remap_pfn_range` does. Memory without descriptors that is inserted by
/// number must live as long as the mapping: the mapping keeps its own backing alive, and no other.
extension AddressSpace {
  /// Maps a frame that has a descriptor, and retains it for the entry (`vm_insert_page`).
  ///
  /// - Throws:
  ///   - `badAddress` if there is no mapping.
  ///   - `invalidArgument` if the mapping is anonymous or a pfn mapping, or the frame has no descriptor, no user, or is
  ///     private memory.
  ///   - `busy` if something is mapped there.
  ///   - `outOfMemory` if the frame has too many references, or the process lacks memory for a table node.
  public func insertPage(_ pfn: PFN, at address: VirtualAddress) throws(PageError) {
    try insert(at: address) { site, attributes in
      guard !attributes.isAnonymous, !attributes.isPFN, !attributes.isSecret, self.frames.isValid(pfn),
        pfn != self.memory.zeroPage
      else { return .failed(.invalidArgument) }
      let folio: Frame
      do throws(PageError) {
        guard let retained = try self.memory.retainShared(pfn, site.section) else { return .failed(.invalidArgument) }
        folio = retained
      } catch {
        return .failed(error)
      }
      let outcome = site.insertPage(pfn, of: self.memory)
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
  /// - Throws:
  ///   - `badAddress` if there is no mapping.
  ///   - `busy` if something is mapped there.
  ///   - `outOfMemory` if the process lacks memory for a table node.
  ///   - `file` with the errno if an image that is filled on demand has no memory for the page.
  ///   - `invalidArgument` if the mapping is neither pfn nor mixed, no memory has that number, or the frame is free or
  ///     has a page on its way to the swap file. (A page that something holds comes back, and its number is good again.)
  ///   - `invalidArgument` if the mapping is mixed and the frame has a descriptor. Use `insertMixed`.
  ///   - `invalidArgument` with `writable`, for memory that this process cannot store to: an image, the zero page.
  ///   - `invalidArgument` if a private pfn mapping would not be linear any more. Copy-on-write could not tell the
  ///     original.
  public func insertPFN(_ pfn: PFN, at address: VirtualAddress, writable: Bool = false) throws(PageError) {
    try memory.sections.fill(pfn, count: 1)
    try insert(at: address) { site, attributes in
      guard attributes.isPFN || attributes.isMixed, self.frames.kind(of: pfn) != .hole,
        !(attributes.isMixed && self.frames.isValid(pfn)), site.mapping.value.mayShow(pfn, at: address),
        !self.memory.hasFreeFrame(from: pfn, count: 1, site.section), !writable || self.frames.isWritable(pfn)
      else { return .failed(.invalidArgument) }
      return site.insertPFN(pfn, writable: writable && attributes.isShared)
    }
  }

  /// Maps a frame number in a mixed mapping, and retains the frame if it has a descriptor (`vmf_insert_mixed`).
  ///
  /// - Parameters:
  ///   - pfn: the frame's number.
  ///   - address: page-aligned.
  ///   - writable: for a frame without a descriptor, whether stores through a shared mapping may go there.
  /// - Throws:
  ///   - `badAddress` if there is no mapping.
  ///   - `invalidArgument` if the mapping is not mixed, no memory has that number, or the frame has no user or is
  ///     private memory.
  ///   - `invalidArgument` with `writable`, as `insertPFN`.
  ///   - `busy` if something is mapped there.
  ///   - `outOfMemory` if the frame has too many references, or the process lacks memory for a table node.
  ///   - `file` as `insertPFN`.
  public func insertMixed(_ pfn: PFN, at address: VirtualAddress, writable: Bool = false) throws(PageError) {
    try memory.sections.fill(pfn, count: 1)
    try insert(at: address) { site, attributes in
      guard attributes.isMixed, self.frames.kind(of: pfn) != .hole else { return .failed(.invalidArgument) }
      if !self.frames.isValid(pfn) || pfn == self.memory.zeroPage {
        if writable, !self.frames.isWritable(pfn) { return .failed(.invalidArgument) }
        return site.insertPFN(pfn, writable: writable && attributes.isShared)
      }
      let outcome = site.insertMixed(pfn, of: self.memory)
      if case .refused = outcome { return .failed(.invalidArgument) }
      return outcome
    }
  }

  /// Maps 2 MiB by number: a special entry of the second-lowest level (`vmf_insert_pfn_pmd`).
  ///
  /// - Parameters:
  ///   - pfn: the first of 512, aligned to 2 MiB.
  ///   - address: aligned to 2 MiB.
  ///   - writable: whether stores through a shared mapping may go there.
  /// - Throws:
  ///   - `badAddress` if there is no mapping.
  ///   - `busy` if something is mapped there, or was page by page since the range was mapped.
  ///   - `outOfMemory` as `insertPFN`.
  ///   - `file` as `insertPFN`.
  ///   - `invalidArgument` as `insertPFN`, and if something is not aligned or not all of the 2 MiB are memory in use.
  ///   - `invalidArgument` if the mapping does not cover them, or may not have huge entries.
  public func insertHugePFN(_ pfn: PFN, at address: VirtualAddress, writable: Bool = false) throws(PageError) {
    guard address == address.hugeStart, pfn.isHugeAligned else { throw .invalidArgument }
    try memory.sections.fill(pfn, count: Page.pagesPerHuge)
    try insert(at: address, isHuge: true) { site, attributes in
      guard attributes.isPFN || attributes.isMixed, self.frames.isWhole(from: pfn),
        !(attributes.isMixed && self.frames.isValid(pfn)), site.mapping.value.mayShow(pfn, at: address),
        attributes.hugePages, site.mapping.value.covers(address.hugeRange),
        !self.memory.hasFreeFrame(from: pfn, count: Page.pagesPerHuge, site.section),
        !writable || self.frames.isWritable(pfn)
      else { return .failed(.invalidArgument) }
      return site.insertPFN(pfn, writable: writable && attributes.isShared)
    }
  }

  /// Attempts to insert until it is clear that it can or cannot be done. `body` is lent an empty entry.
  private func insert(
    at address: VirtualAddress, isHuge: Bool = false, _ body: (FaultSite, VMA.Attributes) -> Fault.Outcome
  ) throws(PageError) {
    guard address.isPageAligned else { throw .invalidArgument }
    guard address < VirtualAddress.limit else { throw .badAddress }
    var spare = SpareNodes(memory)
    var turns = 0
    while true {
      var outcome = RCU.read { section -> Fault.Outcome in
        guard let mapping = mappings.find(address, section) else { return .failed(.badAddress) }
        guard mapping.value.isLive else { return mapping.value.isDetached ? .again : .writeLocked }
        YieldPoint.faultBeforeWalk.reach()
        let ptep: PTEPointer
        let isWanted: Bool
        switch table.walk(to: address, wantsHuge: isHuge, using: &spare, section) {
        case .needsNode: return .needsNode
        case .base(let found): (ptep, isWanted) = (found, !isHuge)
        case .huge(let found): (ptep, isWanted) = (found, isHuge)
        }
        let pte = ptep.load()
        if pte.nonPresentKind == .migration { return .writeLocked }
        if pte.isBusy || TableNode(link: pte) != nil { return .again }
        guard isWanted else {
          // A node is in the way of 2 MiB. If 2 MiB were in the way of a node, they may be gone by now.
          return isHuge || !pte.isEmpty ? .failed(.busy) : .again
        }
        guard pte.isEmpty else { return .failed(.busy) }
        return body(
          FaultSite(address: address, mapping: mapping, ptep: ptep, pte: pte, isHuge: isHuge, section),
          mapping.value.attributes)
      }
      if case .needsNode = outcome {
        do throws(PageError) {
          try spare.add()
          continue
        } catch { outcome = .failed(error) }
      }
      switch outcome {
      case .done: return
      case .failed(let error):
        // From inside, the replacement of a mapping (MAP_FIXED) looks like a hole.
        if error == .badAddress, mmapLock.reading(at: address, { mappings.find(address, $0) != nil }) { continue }
        if spare.haveBeenLinked { unlinkNodesAfterFault(at: address) }
        throw error
      case .writeLocked:
        mmapLock.waitForWriter(at: address)
        // A page-out holds the lock for reading only.
        PTEPointer.wait(&turns)
      default: PTEPointer.wait(&turns)
      }
    }
  }
}
