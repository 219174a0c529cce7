/// Moving a page out of its movable frame, for a long-term pin (`check_and_migrate_movable_folios`).
///
/// A page of a `PageCache` is moved by its cache (`PageCache.moveOut`). Private memory is moved here:
///
///     move, holding the mmap lock for writing         accesses, pins and faults
///     1. the mapping is write-locked                   faults wait for the lock ([lock-then-validate])
///     2. the entry becomes a migration entry          the next ones find nothing, fault, and wait
///     3. a grace period                               stores by the old entry have landed, pins are counted or in a slot
///     4. counts and slots are looked at: if the frame
///        is held, the entry comes back
///     5. the page is copied, the new entry stored     the next ones find the copy
///
/// Only an exclusive page can be pinned, and it has one entry. So the move needs no reverse map.
extension AddressSpace {
  /// Tries to move the page at `address` to a frame that is not movable. If the page is held, it stays where it is. Not
  /// inside a read-side section, nor holding a lock.
  ///
  /// - Throws: `outOfMemory` if no such frame is free, or if the page is another backing's, which does not move pages.
  func moveOut(pageAt address: VirtualAddress) throws(PageError) {
    switch try placeToMove(address) {
    case .nothing: return
    case .anonymous: try moveAnonymous(at: address)
    case .cached(let cache, let page): _ = try cache.moveOut(page: page)
    }
  }

  private enum MovePlace {
    case nothing
    case anonymous
    case cached(PageCache, page: Int)
  }

  private func placeToMove(_ address: VirtualAddress) throws(PageError) -> MovePlace {
    try mmapLock.reading(at: address) { reader throws(PageError) in
      guard let mapping = mappings.first(endingAbove: address, reader), mapping.value.range.contains(address),
        let pte = table.ptep(for: address, reader)?.waitUntilUnlocked(), pte.isMapped, frames.isMovable(pte.pfn)
      else { return .nothing }
      if pte.isAnonymous { return .anonymous }
      guard let cache = mapping.value.attributes.backing as? PageCache else { throw .outOfMemory }
      return .cached(cache, page: mapping.value.backingPage(of: address))
    }
  }

  private func moveAnonymous(at address: VirtualAddress) throws(PageError) {
    let pfn = try memory.allocateFrame(.mayReclaim)
    // A reference that waits in the deferred queue would look like a holder's.
    memory.deferred.reclaim()
    let isUsed = mmapLock.writing(address..<address, in: mappings) { writer in
      moveAnonymous(at: address, to: pfn, writer)
    }
    if !isUsed { memory.discardFrame(pfn) }
    memory.deferred.drainIfFull()
  }

  /// Steps 1 to 5. Returns whether `new` is used.
  private func moveAnonymous(at address: VirtualAddress, to new: PFN, _ writer: borrowing MmapWriter) -> Bool {
    guard let mapping = mappings.first(endingAbove: address, writer.reader), mapping.value.range.contains(address)
    else { return false }
    // ORDERING [lock-then-validate]: write-locked before the entry is looked at.
    mapping.value.setState(.writeLocked)
    defer { mapping.value.setState(.live) }
    guard let ptep = table.ptep(for: address, writer) else { return false }
    let page = address.pageStart
    let pte = revokingTranslation(at: page) {
      ptep.update { pte in
        let isOwn = pte.isMapped && pte.isExclusive && !pte.isHuge && frames.isMovable(pte.pfn)
        return isOwn ? PTE(.migration, payload: pte.pfn.rawValue) : nil
      }
    }
    guard pte.isMapped, pte.isExclusive, !pte.isHuge, frames.isMovable(pte.pfn) else { return false }
    YieldPoint.moveOutBetweenTakeAndGrace.reach()
    // Inside the lock, as in a fork: no thread waits for the lock inside a section.
    RCU.synchronize()
    YieldPoint.moveOutBetweenGraceAndLook.reach()
    // ORDERING [change-then-count], [slot-then-leave]: the entry was taken away, a grace period has passed, the holders
    // are looked at now.
    let frame = frames.frame(pte.pfn)
    guard frame.references == 1, !PinSlotSnapshot(of: frames).holds(frame) else {
      // Slots may hold the page.
      ptep.store(pte.without(PTELayout.neverSlotPinned))
      return false
    }
    frames.bytes(of: new).copy(page: frames.bytes(of: pte.pfn))
    frames.frame(new).begin(anonymous: true, mapped: true)
    // A clean entry may have contents that a holder has stored (`folio_migrate_flags`). No holder is left.
    if frame.has(Frame.dirtyBit) { frames.frame(new).set(Frame.dirtyBit) }
    ptep.store(pte.mapping(new).without(PTELayout.neverSlotPinned))
    frame.removeMapping()
    memory.putAfterGracePeriod(pte.pfn)
    return true
  }
}
