extension AddressSpace {
  /// Gives advice about a range (`madvise(2)`).
  ///
  /// The advice is taken for the mapped parts of a range that has holes, and the holes are reported afterwards.
  ///
  /// - Precondition: not called inside a read-side section.
  /// - Throws: `invalidArgument` for an unaligned range, one that ends beyond 64 bits, or advice that does not fit a mapping
  ///   in it (`dontNeed` on a pfn mapping, for instance); `outOfMemory` if a part is not mapped, no frame is free, or the swap
  ///   file is full: the pages from there on stay in memory; `badAddress` if a page to be populated cannot be read or
  ///   written at all; `tryAgain` if a page to be collapsed is pinned.
  public func advise(at address: VirtualAddress, pages: Int, _ advice: Advice) throws(PageError) {
    guard address.isPageAligned, pages >= 0 else { throw .invalidArgument }
    if pages == 0 { return }
    guard UInt64(pages) <= (UInt64.max - address.rawValue) / UInt64(Page.size) else { throw .invalidArgument }
    guard let (range, isWhole) = address.reachableRange(pages: pages) else { throw .outOfMemory }
    switch advice {
    case .dontNeed: try discard(range)
    case .dontFork: try setDontFork(range, true)
    case .doFork: try setDontFork(range, false)
    case .populateRead: try populate(range, .read)
    case .populateWrite: try populate(range, .write)
    case .collapse: try collapseParts(range)
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

  /// Empties entries and leaves the mappings. The lock for reading is enough: this and faults change entries atomically.
  private func discard(_ range: Range<VirtualAddress>) throws(PageError) {
    var error: PageError?
    emptyEntries { reader, teardown in
      let (parts, hasHole) = parts(of: range, reader)
      if hasHole { error = .outOfMemory }
      for (part, mapping) in parts {
        if mapping.value.attributes.kind.isPFN {
          error = .invalidArgument
          break
        }
        zap(part, in: mapping, reader, &teardown)
      }
    }
    if let error { throw error }
  }

  private func collapseParts(_ range: Range<VirtualAddress>) throws(PageError) {
    let (parts, hasHole) = mmapLock.reading { reader -> ([Range<VirtualAddress>?], Bool) in
      let (found, hasHole) = self.parts(of: range, reader)
      return (found.map { $0.1.value.mayCollapse ? $0.0 : nil }, hasHole)
    }
    for part in parts {
      guard let part else { throw .invalidArgument }
      try collapse(part)
    }
    if hasHole { throw .outOfMemory }
  }

  private func setDontFork(_ range: Range<VirtualAddress>, _ value: Bool) throws(PageError) {
    var error: PageError?
    changeMappings { writer, teardown in
      let (parts, hasHole) = parts(of: range, writer.reader)
      if hasHole { error = .outOfMemory }
      for (part, mapping) in parts {
        if !value, mapping.value.attributes.kind.isIO {
          error = .invalidArgument
          break
        }
        change(part, writer, &teardown) { $0.dontFork = value }
      }
    }
    if let error { throw error }
  }

  private func populate(_ range: Range<VirtualAddress>, _ access: FaultAccess) throws(PageError) {
    var address = range.lowerBound
    while address < range.upperBound {
      // `madvise(2)` reports a mapping that cannot be populated otherwise than an access that fails. Under the lock: a look-up
      // without it finds a hole while an operation replaces a mapping.
      let verdict = mmapLock.reading { _ in
        RCU.read { section -> PageError? in
          guard let mapping = mappings.find(address, section) else { return .outOfMemory }
          let attributes = mapping.value.attributes
          if attributes.kind.isPFN || !mapping.value.permits(access) { return .invalidArgument }
          // Populating is no load: it needs PROT_READ itself.
          if access == .read, !attributes.protection.contains(.read) { return .invalidArgument }
          return nil
        }
      }
      if let verdict { throw verdict }
      do throws(PageError) { try fault(at: address, access) } catch {
        switch error {
        case .busError: throw .badAddress
        case .segmentationViolation: throw .outOfMemory
        default: throw error
        }
      }
      address = address + Page.size
    }
  }
}
