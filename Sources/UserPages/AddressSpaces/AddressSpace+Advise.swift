extension AddressSpace {
  /// Gives advice about a range (`madvise(2)`).
  ///
  /// Mapped parts are treated even where the range has holes; the holes are reported afterwards.
  ///
  /// - Throws: `invalidArgument` for an unaligned range, one that ends beyond 64 bits, or advice that does not fit a mapping
  ///   in it (`dontNeed` on a pfn mapping, for instance); `outOfMemory` where a part is not mapped, no frame is to be had, or
  ///   the swap file is full: what comes behind stays in memory; `badAddress` where a page to be populated cannot be read or
  ///   written at all; `tryAgain` where a page to be collapsed is pinned.
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
    // What leaves the address space is a hole like any other.
    if !isWhole { throw .outOfMemory }
  }

  /// The mapped parts of a range, each with its mapping; under the mmap lock.
  func parts(
    of range: Range<VirtualAddress>
  ) -> (parts: [(Range<VirtualAddress>, VMATree.Mapping)], hasHole: Bool) {
    var parts: [(Range<VirtualAddress>, VMATree.Mapping)] = []
    var reached = range.lowerBound
    var hasHole = false
    mappings.forEach(in: range) { mapping in
      let part = mapping.value.range.clamped(to: range)
      if part.lowerBound > reached { hasHole = true }
      parts.append((part, mapping))
      reached = part.upperBound
    }
    return (parts, hasHole || reached < range.upperBound)
  }

  /// Empties entries while mappings stay: the lock for reading is enough, faults and this meet at the entries.
  private func discard(_ range: Range<VirtualAddress>) throws(PageError) {
    var error: PageError?
    emptyEntries { teardown in
      let (parts, hasHole) = parts(of: range)
      if hasHole { error = .outOfMemory }
      for (part, mapping) in parts {
        if mapping.value.attributes.kind.isPFN {
          error = .invalidArgument
          break
        }
        zap(part, in: mapping, &teardown)
      }
    }
    if let error { throw error }
  }

  private func collapseParts(_ range: Range<VirtualAddress>) throws(PageError) {
    let (parts, hasHole) = mmapLock.reading { () -> ([Range<VirtualAddress>?], Bool) in
      let (found, hasHole) = self.parts(of: range)
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
    changeMappings { teardown in
      let (parts, hasHole) = parts(of: range)
      if hasHole { error = .outOfMemory }
      for (part, mapping) in parts {
        if !value, mapping.value.attributes.kind.isIO {
          error = .invalidArgument
          break
        }
        change(part, &teardown) { $0.dontFork = value }
      }
    }
    if let error { throw error }
  }

  private func populate(_ range: Range<VirtualAddress>, _ access: FaultAccess) throws(PageError) {
    var address = range.lowerBound
    while address < range.upperBound {
      // What makes populating impossible is told apart from what makes an access fail: see `madvise(2)`.
      // Under the lock: a hole may be what a replacement of a mapping looks like from inside.
      let verdict = mmapLock.reading {
        RCU.read { () -> PageError? in
          guard let mapping = mappings.find(address) else { return .outOfMemory }
          if mapping.value.attributes.kind.isPFN || !mapping.value.permits(access) { return .invalidArgument }
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
