/// The fast path where an ordinary page's comparison failed: the page may be part of 2 MiB, whose counts are its first
/// frame's. Either one entry of the second-lowest level maps all of them, or one of the lowest maps the page, and says so.
///
/// Out of line, so that ordinary pages pay nothing; the protocols are theirs, word for word.
extension AddressSpace {
  /// An entry that a walker found, and whether it maps 2 MiB. Inside a read-side section.
  private typealias Found = (ptep: PTEPointer, pte: PTE, pfn: PFN, mapsHuge: Bool)

  /// The entry for `address` if it is huge in either sense and passes; and the frame of the page.
  private func findHuge(_ address: VirtualAddress, _ test: PTETest) -> Found? {
    guard let (ptep, mapsHuge) = table.leaf(for: address) else { return nil }
    let pte = ptep.load()
    // A link is not huge.
    guard test.acceptsHuge(pte), isNormal(pte, at: mapsHuge ? address.hugeStart : address, ptep: ptep) else {
      return nil
    }
    return (ptep, pte, mapsHuge ? pte.pfn + address.pageInHuge : pte.pfn, mapsHuge)
  }

  /// As `takeFast`, inside a section.
  ///
  /// ORDERING [pin-then-look]: as for a page, with the first frame's counts.
  func takeFastHuge(_ address: VirtualAddress, _ test: PTETest, _ counts: UInt64) -> HeldFrame? {
    guard let found = findHuge(address, test) else { return nil }
    YieldPoint.pinBetweenEntryAndReference.reach()
    let folio = frames.frame(found.pte.folioPFN)
    folio.retain(counts)
    YieldPoint.pinBetweenReferenceAndSecondLook.reach()
    guard found.ptep.load() == found.pte else {
      backOut(folio, counts)
      return nil
    }
    return HeldFrame(part: frames.frame(found.pfn), memory, counts: counts)
  }

  /// As `takeSlot`, inside a section.
  ///
  /// ORDERING [slot-then-leave]: the slot has the first frame, for which whoever scans asks.
  func takeSlotHuge(_ address: VirtualAddress, _ test: PTETest, isPin: Bool, _ thread: Int32) -> HeldFrame? {
    guard let found = findHuge(address, test) else { return nil }
    YieldPoint.pinBetweenEntryAndReference.reach()
    let folio = frames.frame(found.pte.folioPFN)
    guard let slot = PinSlot.claim(folio, isPin: isPin, thread: thread) else { return nil }
    return HeldFrame(frames.frame(found.pfn), memory, slot: slot)
  }

  /// Pins as many of `pages` pages from `address` on as one entry of 2 MiB maps, by one count. False where there is none.
  /// Inside a read-side section.
  ///
  /// ORDERING [pin-then-look]: as for a page.
  func takeFastRun(_ address: VirtualAddress, pages: Int, _ test: PTETest, into held: inout HeldFrames) -> Bool {
    guard let found = findHuge(address, test), found.mapsHuge else { return false }
    YieldPoint.pinBetweenEntryAndReference.reach()
    let folio = frames.frame(found.pte.folioPFN)
    folio.retain(held.counts)
    YieldPoint.pinBetweenReferenceAndSecondLook.reach()
    guard found.ptep.load() == found.pte else {
      backOut(folio, held.counts)
      return false
    }
    held.append(run: frames.frame(found.pfn), count: min(pages, Page.pagesPerHuge - address.pageInHuge))
    return true
  }
}
