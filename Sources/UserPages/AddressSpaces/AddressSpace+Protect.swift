extension AddressSpace {
  /// Changes what a program may do with a range (`mprotect(2)`).
  ///
  /// When it returns, no access that the new protection forbids can still take effect.
  ///
  /// - Throws: `invalidArgument` for an unaligned range or a negative length; `outOfMemory` where a page of the range is not
  ///   mapped: the pages before it have been changed, as on Linux. An empty range is no error.
  public func protect(at address: VirtualAddress, pages: Int, _ protection: Protection) throws(PageError) {
    guard address.isPageAligned, pages >= 0 else { throw .invalidArgument }
    if pages == 0 { return }
    guard let (range, isWhole) = address.reachableRange(pages: pages) else { throw .outOfMemory }
    var reached = range.lowerBound
    let lingering = mmapLock.writing { () -> Bool in
      // How far the range is mapped without a hole.
      while reached < range.upperBound, let mapping = mappings.first(endingAbove: reached),
        mapping.value.range.lowerBound <= reached
      {
        reached = min(mapping.value.range.upperBound, range.upperBound)
      }
      guard reached > range.lowerBound else { return false }
      return change(range.lowerBound..<reached) { attributes in attributes.protection = protection }
    }
    settle(storesMayLinger: lingering)
    if reached < range.upperBound || !isWhole { throw .outOfMemory }
  }

  /// Replaces the mappings of a fully mapped range by ones with other attributes and adapts the entries. Under the mmap
  /// lock, held for writing. Returns whether stores may linger.
  func change(_ range: Range<VirtualAddress>, _ edit: (inout VMA.Attributes) -> Void) -> Bool {
    // The old mappings are needed until `retire`: they say what their entries mean.
    var parts: [(range: Range<VirtualAddress>, attributes: VMA.Attributes, firstPage: Int, mapping: VMATree.Mapping)] =
      []
    mappings.forEach(in: range) { mapping in
      let part =
        mapping.value.range.clamped(to: range)
      var attributes = mapping.value.attributes
      edit(&attributes)
      // What does not change is left alone, its 2 MiB entries too.
      if attributes.matches(mapping.value.attributes) { return }
      parts.append((part, attributes, mapping.value.backingPage(of: part.lowerBound), mapping))
    }
    var old = VMATree.Replaced()
    for part in parts {
      mappings.carve(part.range, replacing: &old)
      mappings.insert(
        part.range, part.attributes, firstPage: part.attributes.isAnonymous ? 0 : part.firstPage, replacing: &old)
    }
    if parts.isEmpty { return false }
    mappings.publish()
    var lingering = false
    for part in parts {
      let adapt = { (ptep: PTEPointer, isEntry: (PTE) -> Bool) -> PTE in
        let before = ptep.update { isEntry($0) ? Self.adapt($0, to: part.attributes) : nil }
        if isEntry(before), before.isWritable, !Self.adapt(before, to: part.attributes).isWritable { lingering = true }
        return before
      }
      table.forEachEntry(in: part.range) { span in
        if !span.isWhole { return split(span, in: part.mapping) }
        return adapt(span.ptep, \.mapsHuge).mapsHuge ? .next : .again
      } _: { _, ptep in
        _ = adapt(ptep, \.isMapped)
      }
    }
    mappings.retire(old)
    return lingering
  }

  /// An entry under other rules (`pte_modify`, and `can_change_pte_writable` for those that may be writable at once).
  private static func adapt(_ pte: PTE, to attributes: VMA.Attributes) -> PTE {
    guard attributes.protection != .none else {
      return pte.withoutAccess
    }
    var pte = pte.withAccess
    pte.clear(PTELayout.writable)
    guard attributes.protection.contains(.write) else { return pte }
    if attributes.isShared {
      // A clean entry of a file stays read-only, so that the first store is noticed and marks the frame dirty.
      if attributes.kind.isIO || pte.isDirty { pte.set(PTELayout.writable) }
    } else if pte.isExclusive {
      pte.set(PTELayout.writable)
    }
    return pte
  }
}
