/// Pins for reading of untouched memory by the fast path: of the zero page.
///
/// An entry that shows the zero page is special, so the common comparison refuses it, as it refuses a mapping by
/// number. Only the mapping tells the two apart: one by number may show that number as well, and is never pinned. So
/// the fast path looks the mapping up in its section, O(log n) of the mappings. Linux's fast path gives up instead.
///
/// The page is held as any other, by a slot or by counts. No operation asks whether it is held, because its bytes never
/// change. So an addition to its counts needs no second look at the entry.
extension AddressSpace {
  /// How many pages from `address` on show the zero page and may be held, at most `limit`. 0 if `leaf` shows
  /// another page, or if the slow path must decide.
  ///
  /// Of a node the pages' entries follow each other from `leaf`'s on and are all alike. A pin for writing needs a page
  /// of its own, and so does one for long in a private mapping: both are the slow path's.
  ///
  /// ORDERING [lock-then-validate]: the mapping first, the entry again after it, the mapping's state last, as in the
  /// slow path. The entry that the descent read may be an earlier mapping's, with other rules.
  ///
  /// - Precondition: if `leaf` is of the lowest level, its node has `limit` entries from `leaf`'s on.
  @usableFromInline @inline(never)
  func zeroPages(behind leaf: Leaf, at address: VirtualAddress, limit: Int, _ options: PinOptions) -> Int {
    guard isZeroPage(leaf.pte), leaf.pte.isPresent, leaf.isLowestLevel || leaf.pte.isHuge,
      options.isDisjoint(with: [.write, .longTerm])
    else { return 0 }
    YieldPoint.zeroPinBetweenEntryAndMapping.reach()
    guard let mapping = mappings.find(address, leaf.section), mapping.value.refuses(options) == nil else { return 0 }
    YieldPoint.zeroPinBetweenMappingAndSecondLook.reach()
    guard let pte = markedAccessed(leaf)?.pte else { return 0 }
    let end = min(limit, (mapping.value.range.upperBound - address.pageStart) / Page.size)
    var pages = 0
    if leaf.isLowestLevel {
      while pages < end, PTEPointer(leaf.ptep.word + pages).load() == pte { pages += 1 }
    } else if leaf.ptep.load() == pte {
      pages = min(end, Page.pagesPerHuge - address.pageInHuge)
    }
    return mapping.value.isDetached ? 0 : pages
  }

  /// The frame of the zero page.
  var zeroFrame: Frame { frames.frame(memory.zeroPage) }

  /// Adds the counts for `pages` holds of the zero page. Returns false if it has too many references.
  func retainZeroFrame(_ holdDelta: UInt64, pages: Int) -> Bool {
    let counts = holdDelta &* UInt64(pages)
    if zeroFrame.retain(counts) { return true }
    backOut(zeroFrame, counts)
    return false
  }
}
