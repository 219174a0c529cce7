extension AddressSpace {
  /// Changes what a program may do with a range (`mprotect(2)`).
  ///
  /// When it returns, no access that the new protection forbids can still take effect.
  ///
  /// - Precondition: not called inside a read-side section.
  /// - Throws:
  ///   - `invalidArgument` for an unaligned range or a negative length. An empty range is no error.
  ///   - `outOfMemory` if a page of the range is not mapped. The pages before it have been changed, as on Linux.
  ///   - `notPermitted` if a page is sealed. The pages before it have been changed.
  public func protect(at address: VirtualAddress, pages: Int, _ protection: Protection) throws(PageError) {
    guard address.isPageAligned, pages >= 0 else { throw .invalidArgument }
    if pages == 0 { return }
    guard let (range, isWhole) = address.reachableRange(pages: pages) else { throw .outOfMemory }
    var reached = range.lowerBound
    var isRefused = false
    var becomeWritable: [Range<VirtualAddress>] = []
    changeMappings(in: range) { writer, teardown in
      // How far the range is mapped without a hole, and not sealed.
      while reached < range.upperBound, let mapping = mappings.first(endingAbove: reached, writer.reader),
        mapping.value.range.lowerBound <= reached
      {
        isRefused = mapping.value.attributes.isSealed
        if isRefused { break }
        let part = mapping.value.range.clamped(to: reached..<range.upperBound)
        let attributes = mapping.value.attributes
        if attributes.isLocked, !attributes.isShared, protection.contains(.write),
          !attributes.protection.contains(.write)
        {
          becomeWritable.append(part)
        }
        reached = part.upperBound
      }
      guard reached > range.lowerBound else { return }
      change(range.lowerBound..<reached, writer, &teardown) { attributes in attributes.protection = protection }
    }
    // Locked private memory gets its copies now, so that a store takes no fault for them. What fails is left to the
    // store.
    for part in becomeWritable { try? faultIn(part) }
    if isRefused { throw .notPermitted }
    if reached < range.upperBound || !isWhole { throw .outOfMemory }
  }

  /// Replaces the mappings of a fully mapped range by ones with other attributes, and adapts the entries.
  func change(
    _ range: Range<VirtualAddress>, _ writer: borrowing MmapWriter, _ teardown: inout Teardown,
    _ edit: (inout VMA.Attributes) -> Void
  ) {
    // The old mappings are needed until `retire`: they say what their entries mean.
    var parts: [ChangedPart] = []
    mappings.forEach(in: range, writer.reader) { mapping in
      let part = mapping.value.range.clamped(to: range)
      var attributes = mapping.value.attributes
      edit(&attributes)
      // A mapping that does not change keeps its 2 MiB entries.
      if attributes.matches(mapping.value.attributes) { return }
      attributes.isAccounted = isAccounted(mapping, under: attributes.protection)
      parts.append(ChangedPart(range: part, attributes: attributes, mapping: mapping))
    }
    var old = VMATree.Replaced()
    for part in parts {
      mappings.carve(part.range, replacing: &old, writer)
      mappings.insert(
        VMA(
          range: part.range, attributes: part.attributes,
          firstPage: part.mapping.value.backingPage(of: part.range.lowerBound), anonVMA: part.mapping.value.anonVMA),
        replacing: &old, writer)
    }
    if parts.isEmpty { return }
    mappings.publish(writer)
    for part in parts { adaptEntries(of: part, writer, &teardown) }
    mappings.retire(old, &teardown)
  }

  /// A part of a mapping, and the attributes that it gets.
  private struct ChangedPart {
    let range: Range<VirtualAddress>
    let attributes: VMA.Attributes
    let mapping: VMATree.Mapping
  }

  /// Puts the entries of a part under its new attributes.
  private func adaptEntries(of part: ChangedPart, _ writer: borrowing MmapWriter, _ teardown: inout Teardown) {
    // Where there is only more permission, an entry that allowed an access allows it still: a writable one is dirty or
    // exclusive.
    let takesPermission = !part.attributes.protection.isSuperset(of: part.mapping.value.attributes.protection)
    var cursor = table.cursor(over: part.range, writer)
    while let step = cursor.next() {
      switch step {
      case .huge(let span):
        guard span.isWhole else {
          split(span, in: part.mapping, writer.reader)
          cursor.lookAgain()
          continue
        }
        let isAdapted = revokingTranslations(of: span.range, if: takesPermission) {
          adapt(span.ptep, \.mapsHuge, to: part.attributes, &teardown)
        }
        if !isAdapted { cursor.lookAgain() }
      case .base(let run):
        revokingTranslations(of: run.range, if: takesPermission) {
          for (_, ptep) in run { _ = adapt(ptep, \.isMapped, to: part.attributes, &teardown) }
        }
      }
    }
  }

  /// Whether a mapping's memory is accounted for once it has another protection (`mprotect_fixup`): private memory from
  /// the first time that it is writable. It stays so, unless it is anonymous and has no page yet.
  private func isAccounted(_ mapping: VMATree.Mapping, under protection: Protection) -> Bool {
    let before = mapping.value.attributes
    if protection == before.protection { return before.isAccounted }
    if protection.contains(.write) { return mapping.value.isPrivate }
    return before.isAccounted && !(before.isAnonymous && mapping.value.anonVMA == .none)
  }

  /// Puts an entry under other rules if `isEntry` says that it is one. Returns what `isEntry` said.
  @inline(__always)
  private func adapt(
    _ ptep: PTEPointer, _ isEntry: (PTE) -> Bool, to attributes: VMA.Attributes, _ teardown: inout Teardown
  ) -> Bool {
    let before = ptep.update { isEntry($0) ? adapt($0, to: attributes) : nil }
    guard isEntry(before) else { return false }
    // An access that the entry allowed before and does not allow now may be under way. The page lives on and may
    // change, so every kind of page counts.
    let after = adapt(before, to: attributes)
    if (before.isPresent && !after.isPresent) || (before.isWritable && !after.isWritable) { teardown.expectAccess() }
    return true
  }

  /// The entry under other rules (`pte_modify`). It is writable at once if no fault need see the first store
  /// (`can_change_pte_writable`).
  private func adapt(_ pte: PTE, to attributes: VMA.Attributes) -> PTE {
    guard attributes.protection != .none else {
      return pte.withoutAccess
    }
    var pte = pte.withAccess
    pte.clear(PTELayout.writable)
    guard attributes.protection.contains(.write) else { return pte }
    if attributes.isShared {
      // A clean entry of a file stays read-only, so that the first store is noticed and marks the frame dirty.
      // Of an image, too: its memory takes no stores.
      if pte.isDirty || attributes.isIO && frames.isWritable(pte.pfn) { pte.set(PTELayout.writable) }
    } else if pte.isExclusive {
      pte.set(PTELayout.writable)
    }
    return pte
  }
}
