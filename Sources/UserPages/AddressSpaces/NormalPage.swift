/// Tells normal pages from special ones: whether the descriptor of the frame that an entry maps may be used
/// (`vm_normal_page`).
///
/// Zap, fork, copy-on-write, faults, inspection and pins all ask here. One of two ways of telling is compiled in.
///
/// **With the special bit**, the entry says it. The mapping is not looked at, and the functions below test one bit. For
/// fast pins the test is part of the one comparison that they make (`PTETest.pin`).
///
/// **Without it** (trait NoSpecialBit: an architecture with no bit to spare), the mapping and the frame number say it:
///
/// - The zero page is special by its number, in every mapping.
/// - A pfn mapping shows special pages, except for the copies of a private one. A private pfn mapping is linear: page n
///   shows the backing's frame n. A page that shows another frame was copied on a store, and the copy is a normal page.
/// - Secret memory shows special pages.
/// - In any other mapping, mixed ones above all, a page is normal if its frame has a descriptor (`pfn_valid`). So a
///   mixed mapping must refcount a frame that has a descriptor, even if it is inserted by number, as `insertMixed`
///   does.
///
/// The second way is right only if the mapping is the entry's. A caller that found both without a lock asks
/// `stillRules` after it has read the entry.
///
/// Linux's fast path gives up on such an architecture, because it cannot look a mapping up without a lock. Here it can,
/// inside a read-side section. So the engines stay as they are, and each pin costs one more look-up, O(log n) of the
/// mappings. Neither `pfn_valid` alone nor the refusal of frames without a descriptor would do: a device's range of RAM
/// has descriptors, and is mapped by number.
extension AddressSpace {
  /// The descriptor of the frame behind a mapped entry, if it may be used.
  @inline(__always)
  func normalFrame(_ pte: PTE, at address: VirtualAddress, in mapping: VMATree.Mapping) -> Frame? {
    isNormal(pte, at: address, in: mapping) ? frames.frame(pte.pfn) : nil
  }

  /// Whether a mapped entry shows the zero page. The zero page is special so that no thread counts references on the
  /// one frame that all spaces map. Unlike other special pages it may be copied, got and pinned for reading.
  @inline(__always)
  func isZeroPage(_ pte: PTE) -> Bool { pte.pfn == memory.zeroPage }
}

#if !USERPAGES_NO_SPECIAL_BIT
  extension AddressSpace {
    @inline(__always)
    func isNormal(_ pte: PTE, at address: VirtualAddress, in mapping: VMATree.Mapping) -> Bool { !pte.isSpecial }

    /// Whether an entry that `PTETest.pin` accepted may be pinned: the test has refused special ones.
    @inlinable @inline(__always)
    func isNormal(_ leaf: Leaf, at address: VirtualAddress) -> Bool { true }

    /// Whether `mapping` was the entry's when the entry was read. The entry alone decides here, so it does not matter.
    @inline(__always)
    func stillRules(_ mapping: VMATree.Mapping) -> Bool { true }
  }
#else
  extension AddressSpace {
    func isNormal(_ pte: PTE, at address: VirtualAddress, in mapping: VMATree.Mapping) -> Bool {
      let pfn = pte.pfn
      if pfn == memory.zeroPage || mapping.value.attributes.isSecret { return false }
      if mapping.value.attributes.isPFN {
        guard mapping.value.isPrivate, pfn != mapping.value.linearFrame(of: address) else { return false }
      }
      return frames.isValid(pfn)
    }

    /// Whether an entry that `PTETest.pin` accepted may be pinned.
    ///
    /// ORDERING [lock-then-validate]: the pin finds the mapping, reads the entry once more, then looks at the mapping's
    /// state. An operation detaches a mapping first and changes its entries after. Entries of a new mapping come later
    /// still. So a mapping that is not detached yet was the entry's when the entry was read.
    @usableFromInline @inline(never)
    func isNormal(_ leaf: Leaf, at address: VirtualAddress) -> Bool {
      guard let mapping = mappings.find(address, leaf.section), leaf.ptep.load() == leaf.pte, stillRules(mapping) else {
        return false
      }
      return isNormal(leaf.pte, at: address, in: mapping)
    }

    /// Whether `mapping`, which was found before an entry was read, was the entry's then.
    ///
    /// ORDERING [lock-then-validate]: as above.
    func stillRules(_ mapping: VMATree.Mapping) -> Bool { !mapping.value.isDetached }
  }
#endif

extension VMA {
  /// The frame that a linear pfn mapping shows at `address`. Nil in all other mappings.
  func linearFrame(of address: VirtualAddress) -> PFN? {
    attributes.firstFrame.map { $0 + backingPage(of: address) }
  }

  /// Whether a frame number may be mapped at `address`. A private pfn mapping must be linear: without the special bit,
  /// a copy is told from an original by not being the linear frame. With the bit the rule is the same, so that both
  /// builds agree.
  func mayShow(_ pfn: PFN, at address: VirtualAddress) -> Bool {
    !attributes.isPFN || attributes.isShared || pfn == linearFrame(of: address)
  }
}
