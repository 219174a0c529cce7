extension AddressSpace {
  /// Maps at exactly `address` (`mmap(2)` with `MAP_FIXED`, or with `MAP_FIXED_NOREPLACE`).
  ///
  /// Nothing is allocated but the mapping: pages come by faults.
  ///
  /// - Parameters:
  ///   - address: page-aligned.
  ///   - pages: length in pages of 4096 bytes.
  ///   - protection: what the program may do there.
  ///   - sharing: whether stores go to the backing or to private copies.
  ///   - kind: what the pages show.
  ///   - offset: which page of the backing comes first, in pages.
  ///   - hugePages: whether 2 MiB entries may be used. If nil, as the backing prefers: images of files and contents do.
  ///   - replaces: whether what is mapped there gives way. If not, nothing may be there.
  /// - Precondition: not called inside a read-side section.
  /// - Throws:
  ///   - `alreadyMapped` if `replaces` is false and a page of the range is mapped.
  ///   - `notPermitted` if a page of the range is sealed.
  ///   - `invalidArgument` for an empty or unaligned range, a negative offset, or a private mapping of secret memory.
  ///   - `outOfMemory` for a range that is not inside the address space.
  /// - Complexity: O(log n) of the mappings, and the pages that were mapped there.
  public func map(
    at address: VirtualAddress, pages: Int, protection: Protection, sharing: Sharing = .private,
    backing kind: MappingKind = .anonymous, offset: Int = 0, hugePages: Bool? = nil,
    replaces: Bool = true
  ) throws(PageError) {
    guard address.isPageAligned, pages > 0, offset >= 0 else { throw .invalidArgument }
    guard let range = address.range(pages: pages) else { throw .outOfMemory }
    guard offset <= Int.max / Page.size - pages else { throw .invalidArgument }
    var kind = kind
    var firstPage = offset
    if case .anonymous = kind {
      firstPage = address.pageNumber
      // Shared anonymous memory is a file without a name.
      if sharing == .shared {
        firstPage = 0
        kind = .file(try PageCacheFile(memory, pages: pages))
      }
    }
    var isSecret = false
    if case .secret = kind {
      guard sharing == .shared else { throw .invalidArgument }
      firstPage = 0
      isSecret = true
      kind = .file(try SecretMemory(memory, pages: pages))
    }
    let hugePages = hugePages ?? kind.backing?.prefersHugePages ?? false
    var attributes = VMA.Attributes(
      protection: protection, isShared: sharing == .shared, kind: kind, hugePages: hugePages)
    attributes.isSecret = isSecret
    attributes.isLocked = isSecret
    // Before a fault can ask for a page: a backing that moves pages must know the spaces that may show them.
    attributes.users?.add(self)
    // Entries by number hold no reference, and neither a page-out nor a collapse finds them.
    if attributes.isPFN, let file = attributes.backing as? PageCacheFile { file.keepFrames() }
    try changeMappings(in: range) { writer, teardown throws(PageError) in
      if !replaces, mappings.isAny(in: range, writer.reader) { throw .alreadyMapped }
      try requireUnmappable(range, writer, &teardown)
      var old = VMATree.Replaced()
      mappings.carve(range, replacing: &old, writer)
      if !old.isEmpty {
        // Two steps: if the new mapping were there at once, a fault could meet an old entry under the new mapping's
        // rules. A fault between them finds no mapping, and believes it only under the lock.
        mappings.publish(writer)
        zap(range, of: old, writer.reader, &teardown)
        // A node that is left behind would keep 2 MiB entries out, those of a later mapping too.
        unlinkVacantNodes(around: range, writer, &teardown)
      }
      var anonVMA = AnonVMA.none
      if hugePages, sharing == .private, !attributes.isPFN, !attributes.isMixed {
        anonVMA = mappings.anonVMABeforeHugePages(range, attributes, firstPage: firstPage, writer)
      }
      mappings.insert(
        VMA(range: range, attributes: attributes, firstPage: firstPage, anonVMA: anonVMA), replacing: &old, writer)
      mappings.publish(writer)
      mappings.retire(old, &teardown)
    }
  }
}
