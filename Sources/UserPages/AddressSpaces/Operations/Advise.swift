extension AddressSpace {
  /// Gives advice about a range (`madvise(2)`).
  ///
  /// The advice is taken for the mapped parts of a range that has holes, and the holes are reported afterwards.
  ///
  /// - Precondition: not called inside a read-side section.
  /// - Throws:
  ///   - `invalidArgument` for a range that is unaligned or ends beyond 64 bits.
  ///   - `invalidArgument` for advice that does not fit a mapping: `dontNeed` on locked memory, for instance.
  ///   - `invalidArgument` for 2 MiB that cannot be collapsed: never touched, not aligned with their file, or with a
  ///     guard marker or a private copy of a file's page among them.
  ///   - `notPermitted` if pages would be dropped that are sealed.
  ///   - `outOfMemory` if a part is not mapped or no frame is free.
  ///   - `outOfMemory` if the swap file is full. The pages from there on stay in memory.
  ///   - `badAddress` if a page to be populated cannot be read or written at all.
  ///   - `tryAgain` if a page to be collapsed is pinned.
  public func advise(at address: VirtualAddress, pages: Int, _ advice: Advice) throws(PageError) {
    guard address.isPageAligned, pages >= 0 else { throw .invalidArgument }
    if pages == 0 { return }
    guard UInt64(pages) <= (UInt64.max - address.rawValue) / UInt64(Page.size) else { throw .invalidArgument }
    guard let (range, isWhole) = address.reachableRange(pages: pages) else { throw .outOfMemory }
    switch advice {
    case .dontNeed: try discard(range)
    case .dontFork: try changeInheritance(of: range, unless: \.refusesDiscard) { $0.dontFork = true }
    case .doFork:
      try changeInheritance(of: range, unless: { $0.isPFN ? .invalidArgument : nil }) { $0.dontFork = false }
    case .wipeOnFork:
      try changeInheritance(
        of: range, unless: { $0.refusesDiscard ?? ($0.isShared || !$0.isAnonymous ? .invalidArgument : nil) }
      ) { $0.wipesOnFork = true }
    case .keepOnFork: try changeInheritance(of: range, unless: { _ in nil }) { $0.wipesOnFork = false }
    case .cold: try forgetAccesses(to: range)
    case .populateRead: try populate(range, .read)
    case .populateWrite: try populate(range, .write)
    case .collapse: try collapseParts(range)
    case .free: try freeLazily(range)
    case .guardInstall: try installGuards(in: range)
    case .guardRemove: try removeGuards(in: range)
    case .pageOut: try pageOut(range)
    }
    // The part of the range beyond the address space is a hole.
    if !isWhole { throw .outOfMemory }
  }

  /// The mapped parts of a range, each with its mapping, and whether there are holes between them.
  func parts(
    of range: Range<VirtualAddress>, _ lock: borrowing MmapReader
  ) -> (parts: [(Range<VirtualAddress>, VMATree.Mapping)], hasHole: Bool) {
    var parts: [(Range<VirtualAddress>, VMATree.Mapping)] = []
    var reached = range.lowerBound
    var hasHole = false
    mappings.forEach(in: range, lock) { mapping in
      let part = mapping.value.range.clamped(to: range)
      if part.lowerBound > reached { hasHole = true }
      parts.append((part, mapping))
      reached = part.upperBound
    }
    return (parts, hasHole || reached < range.upperBound)
  }

  /// Runs `body` with each mapped part of a range, up to the first one that is refused. Returns the error to report:
  /// the refusal, or else a hole's.
  private func forEachPart(
    of range: Range<VirtualAddress>, _ lock: borrowing MmapReader, unless refusal: (VMA.Attributes) -> PageError?,
    _ body: (Range<VirtualAddress>, VMATree.Mapping) -> Void
  ) -> PageError? {
    let (parts, hasHole) = parts(of: range, lock)
    for (part, mapping) in parts {
      if let refused = refusal(mapping.value.attributes) { return refused }
      body(part, mapping)
    }
    return hasHole ? .outOfMemory : nil
  }

  /// Empties entries and leaves the mappings. Guard markers stay. Tables that are left empty go.
  private func discard(_ range: Range<VirtualAddress>) throws(PageError) {
    var discarded: [Range<VirtualAddress>] = []
    // The advice may end at a part that refuses it, or report a hole. It was taken for the parts before.
    defer { reclaimTables(in: discarded) }
    try changeParts(of: range, unless: { $0.refusesDiscard ?? $0.refusesPageOut }) {
      part, mapping, lock, teardown in
      zap(part, in: mapping, keepsGuards: true, lock, &teardown)
      discarded.append(part)
    }
  }

  /// Changes the entries of each mapped part, up to the first one that is refused. The lock for reading is enough: this
  /// and faults change entries atomically.
  func changeParts(
    of range: Range<VirtualAddress>, unless refusal: (VMA.Attributes) -> PageError?,
    _ change: (Range<VirtualAddress>, VMATree.Mapping, borrowing MmapReader, inout Teardown) -> Void
  ) throws(PageError) {
    var error: PageError?
    emptyEntries(in: range) { reader, teardown in
      error = forEachPart(of: range, reader, unless: refusal) { part, mapping in
        change(part, mapping, reader, &teardown)
      }
    }
    if let error { throw error }
  }

  private func collapseParts(_ range: Range<VirtualAddress>) throws(PageError) {
    let (parts, hasHole) = mmapLock.reading(range) { reader -> ([CollapsiblePart?], Bool) in
      let (found, hasHole) = self.parts(of: range, reader)
      return (found.map { $0.1.value.collapsible($0.0) }, hasHole)
    }
    for part in parts {
      guard let part else { throw .invalidArgument }
      try collapse(part)
    }
    if hasHole { throw .outOfMemory }
  }

  /// Clears accessed bits: the next round of reclaim finds the pages unused. A mirror's accesses set none, so its
  /// translations go. 2 MiB of which only some pages are cold are broken up, as far as this space alone has them.
  private func forgetAccesses(to range: Range<VirtualAddress>) throws(PageError) {
    breakUpPartlyShown(in: range, unless: { $0.refusesPageOut })
    let error = mmapLock.reading(range) { reader in
      forEachPart(of: range, reader, unless: { $0.refusesPageOut }) { part, _ in forgetAccesses(to: part, reader) }
    }
    if let error { throw error }
  }

  private func forgetAccesses(to part: Range<VirtualAddress>, _ lock: borrowing MmapReader) {
    var cursor = table.cursor(over: part, lock)
    while let step = cursor.next() {
      switch step {
      case .huge(let span):
        let before = revokingTranslations(of: span.range) {
          span.ptep.update { $0.mapsHuge ? $0.without(PTELayout.accessed) : nil }
        }
        if !before.mapsHuge { cursor.lookAgain() }
      case .base(let run):
        revokingTranslations(of: run.range) {
          for (_, ptep) in run { _ = ptep.update { $0.isMapped ? $0.without(PTELayout.accessed) : nil } }
        }
      }
    }
  }

  /// Changes what a fork's child gets of each mapped part, up to the first one that is refused.
  private func changeInheritance(
    of range: Range<VirtualAddress>, unless refusal: (VMA.Attributes) -> PageError?,
    _ change: (inout VMA.Attributes) -> Void
  ) throws(PageError) {
    let error = changeMappings(in: range) { writer, teardown in
      var end = range.lowerBound
      let error = forEachPart(of: range, writer.reader, unless: refusal) { part, _ in end = part.upperBound }
      // One change for all parts: it retires mappings that were found before, the next part's among them.
      self.change(range.lowerBound..<end, writer, &teardown, change)
      return error
    }
    if let error { throw error }
  }

  private func populate(_ range: Range<VirtualAddress>, _ access: FaultAccess) throws(PageError) {
    var address = range.lowerBound
    while address < range.upperBound {
      if let refusal = refusesPopulation(of: address, access) { throw refusal }
      do throws(PageError) { try fault(at: address, access) } catch {
        switch error {
        // The mapping has been replaced since. The new one decides.
        case .segmentationViolation where entry(at: address).kind != .guardMarker: continue
        case .segmentationViolation, .busError, .busErrorOfFile: throw .badAddress
        default: throw error
        }
      }
      address = address + Page.size
    }
  }

  /// Why the page at an address cannot be populated: `madvise(2)` reports that otherwise than an access that fails.
  ///
  /// Under the lock: a look-up without it finds a hole while an operation replaces a mapping.
  private func refusesPopulation(of address: VirtualAddress, _ access: FaultAccess) -> PageError? {
    mmapLock.reading(at: address) { reader in
      guard let mapping = mappings.find(address, reader) else { return .outOfMemory }
      let attributes = mapping.value.attributes
      if attributes.isPFN || attributes.isSecret || !mapping.value.permits(access) { return .invalidArgument }
      // Populating is no load: it needs PROT_READ itself.
      if access == .read, !attributes.protection.contains(.read) { return .invalidArgument }
      return nil
    }
  }
}
