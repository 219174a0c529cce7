/// Ranges that stay as they are (`mseal(2)`).
///
/// An operation looks for seals under the mmap lock held for writing, before it has changed anything. So a seal comes
/// before the whole operation or after it. `change` gives the sealed range mappings of its own. Faults, accesses and
/// pins do not ask.
extension AddressSpace {
  /// Seals a range, for good: it cannot be unmapped, replaced, moved, resized or given another protection any more.
  ///
  /// Advice that drops pages is refused where the program could not store instead: private anonymous memory that is not
  /// writable. A fork's child inherits the seal. The end of the space does not ask for it.
  ///
  /// - Precondition: not called inside a read-side section.
  /// - Throws:
  ///   - `invalidArgument` for an unaligned range, or one that ends beyond 64 bits.
  ///   - `outOfMemory` if a page of the range is not mapped. Nothing is sealed then.
  public func seal(at address: VirtualAddress, pages: Int) throws(PageError) {
    guard address.isPageAligned, pages >= 0 else { throw .invalidArgument }
    if pages == 0 { return }
    guard UInt64(pages) <= (UInt64.max - address.rawValue) / UInt64(Page.size) else { throw .invalidArgument }
    guard let (range, isWhole) = address.reachableRange(pages: pages), isWhole else { throw .outOfMemory }
    try changeMappings(in: range) { writer, teardown throws(PageError) in
      if parts(of: range, writer.reader).hasHole { throw .outOfMemory }
      mayHoldSeals.store(true, ordering: .relaxed)
      change(range, writer, &teardown) { $0.isSealed = true }
    }
  }

  /// - Throws: `notPermitted` if a part of `range` is immutable (`can_modify_vma`).
  func requireMutable(_ range: Range<VirtualAddress>, _ lock: borrowing MmapReader) throws(PageError) {
    // An operation that finds none spares the look at its mappings.
    guard mayHoldSeals.load(ordering: .relaxed) else { return }
    var isSealed = false
    mappings.forEach(in: range, lock) { if $0.value.attributes.isSealed { isSealed = true } }
    if isSealed { throw .notPermitted }
  }

  /// The same for a range that is about to be unmapped. As on Linux, a refusal leaves the first mapping cut at the
  /// start of the range, unless it is that one which is sealed (`vms_gather_munmap_vmas`).
  func requireUnmappable(
    _ range: Range<VirtualAddress>, _ writer: borrowing MmapWriter, _ teardown: inout Teardown
  ) throws(PageError) {
    do throws(PageError) { try requireMutable(range, writer.reader) } catch {
      divide(at: range.lowerBound, writer, &teardown)
      throw error
    }
  }

  /// Makes two mappings of the one around `address`, unless it is sealed.
  private func divide(at address: VirtualAddress, _ writer: borrowing MmapWriter, _ teardown: inout Teardown) {
    guard let mapping = mappings.find(address, writer.reader), mapping.value.range.lowerBound < address,
      !mapping.value.attributes.isSealed
    else { return }
    var old = VMATree.Replaced()
    mappings.divide(mapping, at: address, replacing: &old, writer)
    mappings.publish(writer)
    var cursor = table.cursor(over: address..<min(address.hugeCeiling, mapping.value.range.upperBound), writer)
    while let step = cursor.next() {
      guard case .huge(let span) = step, !span.isWhole else { continue }
      split(span, in: mapping, writer.reader)
      cursor.lookAgain()
    }
    mappings.retire(old, &teardown)
  }
}

extension VMA.Attributes {
  /// Why advice that drops pages, from the space or from a child, is refused (`can_madvise_modify`). Nil if it is not
  /// refused.
  var refusesDiscard: PageError? {
    isSealed && isAnonymous && !protection.contains(.write) ? .notPermitted : nil
  }
}
