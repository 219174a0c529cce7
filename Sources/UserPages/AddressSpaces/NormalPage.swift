/// Which entries have a descriptor behind their frame number that may be used: Linux's `vm_normal_page`.
///
/// The one place where this is decided, for zap, fork, copy-on-write, faults, looking and both ways of pinning. There are two
/// ways of deciding it, and one of them is compiled in.
///
/// **With the special bit**: the entry alone says so. The mapping is not looked at, the functions below are a test of one bit,
/// and the fast path's is part of the one comparison it makes anyway (`PTETest.pin`).
///
/// **Without it** (trait NoSpecialBit, an architecture with no bit to spare): the mapping and the frame number say so.
///
/// - The zero page is special by its number, everywhere.
/// - A pfn mapping never shows a page that counts, but for the copies of a private one. That is linear: page n shows the
///   backing's frame n, so a page that shows another frame was copied on a store, and the copy is a normal page.
/// - Everywhere else (a mixed mapping above all) a page is normal where its frame has a descriptor: `pfn_valid`. So whoever
///   maps a frame by number there must refer to it if it has a descriptor, as `insertMixed` does.
///
/// Such an answer is only as good as the match of entry and mapping. Whoever found both without a lock asks `stillRules`
/// after the entry was read.
///
/// Linux's fast path gives up on such an architecture, for it cannot look a mapping up without a lock. Here it can: mappings
/// are found inside a read-side section. So the engines stay what they are, and each pin costs a look-up more, O(log n)
/// of the mappings. To go by `pfn_valid` alone would be wrong, and by refusal of what has no descriptor alone as well: a
/// device's range of RAM has descriptors, and is mapped by number.
extension AddressSpace {
  /// The descriptor of the frame behind a mapped entry, if it may be used.
  @inline(__always)
  func normalFrame(_ pte: PTE, at address: VirtualAddress, in mapping: VMATree.Mapping) -> Frame? {
    isNormal(pte, at: address, in: mapping) ? frames.frame(pte.pfn) : nil
  }

  /// Whether a mapped entry shows the zero page: special, but nothing that could not be referred to.
  @inline(__always)
  func isZeroPage(_ pte: PTE) -> Bool { pte.pfn == memory.zeroPage }
}

#if !USERPAGES_NO_SPECIAL_BIT
  extension AddressSpace {
    @inline(__always)
    func isNormal(_ pte: PTE, at address: VirtualAddress, in mapping: VMATree.Mapping) -> Bool { !pte.isSpecial }

    /// Whether an entry that `PTETest.pin` accepted, read from `place`, may be pinned: the test has seen to it.
    @inlinable @inline(__always)
    func isNormal(_ pte: PTE, at address: VirtualAddress, ptep: PTEPointer) -> Bool { true }

    /// Whether what is concluded from `mapping` about an entry that was read after it was found holds: nothing is concluded.
    @inline(__always)
    func stillRules(_ mapping: VMATree.Mapping) -> Bool { true }
  }
#else
  extension AddressSpace {
    func isNormal(_ pte: PTE, at address: VirtualAddress, in mapping: VMATree.Mapping) -> Bool {
      let pfn = pte.pfn
      if pfn == memory.zeroPage { return false }
      if mapping.value.attributes.kind.isPFN {
        guard mapping.value.isPrivate, pfn != mapping.value.linearFrame(of: address) else { return false }
      }
      return frames.isValid(pfn)
    }

    /// Whether an entry that `PTETest.pin` accepted, read from `place`, may be pinned. Inside the read-side section in which
    /// it was read.
    ///
    /// ORDERING [lock-then-validate]: the mapping is found, the entry is read once more, then the mapping's state is looked
    /// at. Whoever takes a mapping away detaches it first and changes the entries after, and a new mapping's entries come
    /// later still; so a mapping that was not detached yet ruled when the entry was read.
    @usableFromInline @inline(never)
    func isNormal(_ pte: PTE, at address: VirtualAddress, ptep: PTEPointer) -> Bool {
      guard let mapping = mappings.find(address), ptep.load() == pte, stillRules(mapping) else { return false }
      return isNormal(pte, at: address, in: mapping)
    }

    /// Whether what is concluded from `mapping` about an entry that was read after it was found holds.
    ///
    /// ORDERING [lock-then-validate]: as above.
    func stillRules(_ mapping: VMATree.Mapping) -> Bool { !mapping.value.isDetached }
  }
#endif

extension VMA {
  /// The frame that a linear pfn mapping shows at `address`; nil in all other mappings.
  func linearFrame(of address: VirtualAddress) -> PFN? {
    attributes.kind.firstFrame.map { $0 + backingPage(of: address) }
  }

  /// Whether a frame number may be mapped at `address`. A private pfn mapping must be linear, in either way of telling normal
  /// pages, because one of them knows its copies by their not being where they were.
  func mayShow(_ pfn: PFN, at address: VirtualAddress) -> Bool {
    !attributes.kind.isPFN || attributes.isShared || pfn == linearFrame(of: address)
  }
}
