/// Memory that is never paged out (`mlock(2)`, `munlock(2)`).
///
/// A locked mapping says so. Page-out, reclaim and eviction ask it under the mmap lock, before they replace an entry of
/// it:
///
///     lock                                                 page-out, reclaim, eviction
///     1. marks the mappings, the lock held for writing     a. finds a mapping, the lock held for reading
///     2. faults each page in, holding nothing              b. passes it by if it is marked, or replaces its entries
///
/// If b comes before 1, then 2 finds the page gone and brings it back. The page stays from there on. Migration and
/// copy-on-write may still move a locked page: its bytes are in memory all the time.
extension AddressSpace {
  /// Locks the pages that hold `pages` pages' worth of bytes from `address` on, and faults them in.
  ///
  /// The faults are for writing where the memory is private and writable. A fork's child does not inherit the lock.
  ///
  /// - Precondition: not called inside a read-side section.
  /// - Throws:
  ///   - `invalidArgument` for a range that ends beyond 64 bits.
  ///   - `outOfMemory` if a page is not mapped. The pages before it are locked and not faulted in.
  ///   - `outOfMemory` if a page cannot be faulted in for want of permission or of a file's page. All are locked.
  ///   - `tryAgain` if a page cannot be faulted in for want of a frame. All are locked.
  public func lock(at address: VirtualAddress, pages: Int) throws(PageError) {
    guard let range = try setLocked(true, at: address, pages: pages) else { return }
    try faultIn(range)
  }

  /// Takes the lock back. The pages stay until memory is short.
  ///
  /// - Precondition: not called inside a read-side section.
  /// - Throws:
  ///   - `invalidArgument` as `lock`.
  ///   - `outOfMemory` if a page is not mapped. The pages before it are unlocked.
  public func unlock(at address: VirtualAddress, pages: Int) throws(PageError) {
    _ = try setLocked(false, at: address, pages: pages)
  }

  /// Marks or unmarks the mappings of a range up to its first hole. Returns the range, or nil if it is empty.
  private func setLocked(
    _ isLocked: Bool, at address: VirtualAddress, pages: Int
  ) throws(PageError) -> Range<VirtualAddress>? {
    guard pages >= 0 else { throw .invalidArgument }
    let start = address.pageStart
    let (count, overflows) = pages.addingReportingOverflow(address.isPageAligned ? 0 : 1)
    guard !overflows else { throw .invalidArgument }
    if count == 0 { return nil }
    guard UInt64(count) <= (UInt64.max - start.rawValue) / UInt64(Page.size) else { throw .invalidArgument }
    guard let (range, isWhole) = start.reachableRange(pages: count) else { throw .outOfMemory }
    var hasHole = false
    changeMappings(in: range) { writer, teardown in
      var end = range.lowerBound
      while end < range.upperBound, let mapping = mappings.find(end, writer.reader) {
        end = min(mapping.value.range.upperBound, range.upperBound)
      }
      hasHole = end < range.upperBound
      change(range.lowerBound..<end, writer, &teardown) { attributes in
        // As on Linux: what is mapped by number is in memory anyway, and secret memory stays as it is.
        if !attributes.isPFN, !attributes.isMixed, !attributes.isSecret { attributes.isLocked = isLocked }
      }
    }
    if hasHole || !isWhole { throw .outOfMemory }
    return range
  }

  /// Faults every page of a range in, as its mapping allows (`populate_vma_page_range`). What is not mapped any more is
  /// passed by.
  func faultIn(_ range: Range<VirtualAddress>) throws(PageError) {
    var address = range.lowerBound
    while address < range.upperBound {
      do throws(PageError) { if let access = try accessThatLocks(address) { try fault(at: address, access) } } catch {
        // Not a guard marker: the mapping has been replaced since, and the new one decides.
        if error == .segmentationViolation, entry(at: address).kind != .guardMarker { continue }
        throw error.isLackOfMemory ? .tryAgain : .outOfMemory
      }
      address = address + Page.size
    }
  }

  /// The access that brings a page of a locked mapping in. Nil if there is nothing to bring in.
  ///
  /// Under the lock: a look-up without it finds a hole while an operation replaces a mapping.
  private func accessThatLocks(_ address: VirtualAddress) throws(PageError) -> FaultAccess? {
    try mmapLock.reading(at: address) { reader throws(PageError) in
      guard let mapping = mappings.find(address, reader), !mapping.value.attributes.isPFN else { return nil }
      let attributes = mapping.value.attributes
      let access: FaultAccess = !attributes.isShared && attributes.protection.contains(.write) ? .write : .read
      // Pages of secret memory are faulted in as for a pin, which it refuses.
      if attributes.isSecret || !mapping.value.permits(access) { throw .badAddress }
      return access
    }
  }
}

extension VMA.Attributes {
  /// Why advice that takes pages away is refused: the pages are locked, or mapped by number.
  var refusesPageOut: PageError? { isLocked || isPFN ? .invalidArgument : nil }
}
