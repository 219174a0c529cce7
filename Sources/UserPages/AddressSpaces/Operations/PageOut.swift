/// Writing anonymous pages out (`MADV_PAGEOUT`).
///
/// In batches, each in one turn of the mmap lock, held for reading:
///
///     A. an entry gives way to a swap entry; its frame goes into the swap cache, its reference becomes the batch's
///     B. one grace period for all of them
///     C. a pinned frame comes back as it was, and so does one that other entries map; one that gets have stays in the
///        cache
///     D. the other frames are left to the swap file's writer, which frees each when the file has it
///
/// A get does not keep its page mapped. The next access finds the same frame in the cache, because the get has a
/// reference. Or it has a pin slot, and the entry's reference waits for that among the deferred frees. When the get has
/// ended, reclaim writes the page (`SwapArea.trim`).
///
/// A page that was freed lazily is dropped instead: see `LazyFree.swift`. Pages of memory files: `PageOutFiles.swift`.
///
/// A fault on the page in between takes the same frame out of the cache, so program and pins never see two.
extension AddressSpace {
  /// A page. A batch has replaced its entry.
  struct PageTakenOut {
    fileprivate let ptep: PTEPointer
    /// The entry as it was.
    fileprivate let before: PTE
    /// Nil for a page that is dropped.
    fileprivate let slot: SwapSlot?

    fileprivate var after: PTE {
      slot.map { PTE(swappedTo: $0, isShared: !before.isExclusive) } ?? PTE(.migration, payload: before.pfn.rawValue)
    }
  }

  /// The most pages of a batch. So many share the cost of one grace period.
  private static let batchSize = 512

  /// Pages out the anonymous pages of a range that are mapped once and not pinned, and such pages of memory files.
  /// Others stay, as on Linux.
  func pageOut(_ range: Range<VirtualAddress>) throws(PageError) {
    // Pages go out one by one.
    if mmapLock.reading(range, { reader in showsHugeFrames(range, reader) }) { breakUpHugeFrames(in: range) }
    var error: PageError?
    var next = range.lowerBound
    var lastFull: VirtualAddress?
    while next < range.upperBound {
      var isFull = false
      mmapLock.reading(next..<range.upperBound) { reader in
        let (parts, hasHole) = parts(of: next..<range.upperBound, reader)
        next = range.upperBound
        if hasHole { error = .outOfMemory }
        var batch: [PageTakenOut] = []
        for (part, mapping) in parts {
          if let refused = mapping.value.attributes.refusesPageOut {
            error = refused
            break
          }
          if let end = takeOut(part, in: mapping, reader, &batch, &isFull) {
            next = end
            break
          }
        }
        finish(batch, reader)
      }
      guard isFull else { continue }
      // A page that came back while it was being written has its slot until the write is over.
      if lastFull == next { throw .outOfMemory }
      lastFull = next
      memory.swap.finishWrites()
    }
    pageOutFiles(range)
    memory.deferred.drainIfFull()
    if let error { throw error }
  }

  /// Replaces entries of a part of a mapping. Returns where to go on if the batch or the swap file is full.
  private func takeOut(
    _ part: Range<VirtualAddress>, in mapping: VMATree.Mapping, _ lock: borrowing MmapReader,
    _ batch: inout [PageTakenOut],
    _ isFull: inout Bool
  ) -> VirtualAddress? {
    var cursor = table.cursor(over: part, lock)
    while let step = cursor.next() {
      // An entry of 2 MiB is left: it could not be broken up because another holder has the frame.
      guard case .base(let run) = step else { continue }
      for (address, ptep) in run {
        guard batch.count < Self.batchSize else { return address }
        guard takeOut(ptep, at: address, in: mapping, takesShared: false, &batch) else {
          isFull = true
          return address
        }
      }
    }
    return nil
  }

  /// Replaces one entry, if its page may go. Returns false if the swap file is full.
  ///
  /// The questions about the frame are hints that save work: the answer that counts is asked for after the grace
  /// period.
  ///
  /// - Parameter takesShared: whether a page may go that other spaces map too.
  func takeOut(
    _ ptep: PTEPointer, at address: VirtualAddress, in mapping: VMATree.Mapping, takesShared: Bool,
    _ batch: inout [PageTakenOut]
  ) -> Bool {
    // In one section with the entry, so that the frame has a reference while the cache takes its own.
    RCU.read { section in
      while true {
        let pte = ptep.waitUntilUnlocked()
        guard pte.isMapped, pte.isAnonymous, !pte.isHuge,
          let frame = normalFrame(pte, at: address, in: mapping), takesShared || frame.mapCount == 1, frame.pins == 0
        else { return true }
        let isShared = !pte.isExclusive
        YieldPoint.pageOutBetweenEntryAndReplacement.reach()
        if isLazilyFreed(pte, frame) {
          let page = PageTakenOut(ptep: ptep, before: pte.without(PTELayout.neverSlotPinned), slot: nil)
          let isReplaced = revokingTranslations(of: address..<address + Page.size) {
            ptep.replace(pte, with: page.after)
          }
          if !isReplaced { continue }
          batch.append(page)
          return true
        }
        // ORDERING [change-then-count]: the entry is replaced here, the references are looked at in `SwapArea.decide`.
        let result = memory.swap.replace(pte.pfn, section) { slot in
          // It is on its way to the swap file now. When it is back, its entry is clean for another reason. Another
          // space's advice marks a shared frame only as long as there is no slot: before this, or never.
          frame.clear(Frame.lazilyFreedBit)
          return revokingTranslations(of: address..<address + Page.size) {
            ptep.replace(pte, with: PTE(swappedTo: slot, isShared: isShared))
          }
        }
        switch result {
        case .lost: continue
        case .full: return false
        case .replaced(let slot):
          frame.removeMapping()
          // It comes back as a page that slots may hold. Before that, other threads may use it: a fault may bring it
          // in, and pins may hold it in slots. Another page-out may then take it again, into the same slot of the file.
          batch.append(PageTakenOut(ptep: ptep, before: pte.without(PTELayout.neverSlotPinned), slot: slot))
          return true
        }
      }
    }
  }

  /// Steps B to D. The lock keeps the entries from being moved, inherited or re-protected meanwhile. Returns how many
  /// frames are the writer's.
  ///
  /// - Parameter leavesShared: as for `SwapArea.decide`.
  @discardableResult
  func finish(_ batch: [PageTakenOut], leavesShared: Bool = false, _ lock: borrowing MmapReader) -> Int {
    if batch.isEmpty { return 0 }
    YieldPoint.pageOutBetweenEntriesAndGrace.reach()
    // ORDERING [swap-then-copy]: the entries were replaced before. When this returns, every store by one of them has
    // landed, and the frame may be copied to the file.
    RCU.synchronize()
    YieldPoint.pageOutBetweenGraceAndLook.reach()
    var out = 0
    var staying = decide(batch, leavesShared: leavesShared, leavesGot: false, &out)
    if staying.contains(where: { frames.frame($0.before.pfn).pins == 0 }) {
      // Another space may have unmapped the page. Its reference then waits in the deferred queue. Reclaim the queue and
      // decide again. A page that has a reference now is got.
      memory.deferred.reclaim()
      staying = decide(staying, leavesShared: leavesShared, leavesGot: true, &out)
    }
    if staying.isEmpty { return out }
    YieldPoint.pageOutBetweenLookAndPutBack.reach()
    for page in staying { putBack(page) }
    return out
  }

  /// Lets go of the frames without other holders, and counts them in `out`. Returns the rest.
  private func decide(
    _ pages: [PageTakenOut], leavesShared: Bool, leavesGot: Bool, _ out: inout Int
  ) -> [PageTakenOut] {
    // ORDERING [slot-then-leave]: the entries were replaced, a grace period has passed, the slots are looked at now.
    let slots = PinSlotSnapshot(of: frames)
    return pages.filter { page in
      let pfn = page.before.pfn
      guard let slot = page.slot else {
        guard drop(pfn, behind: page.after, at: page.ptep, slots) else { return true }
        out += 1
        return false
      }
      let holder = slots.holder(of: frames.frame(pfn))
      switch memory.swap.decide(slot, pfn, holder: holder, leavesShared: leavesShared, leavesGot: leavesGot) {
      case .out:
        out += 1
        return false
      case .left: return false
      case .gone, .leftToSlot:
        // By way of the deferred frees, where pin slots are looked at before the last reference falls.
        memory.putAfterGracePeriod(pfn)
        return false
      case .stays: return true
      }
    }
  }

  /// Undoes step A, unless a fault did already or the page was thrown away.
  private func putBack(_ page: PageTakenOut) {
    guard let slot = page.slot else {
      if page.ptep.replace(page.after, with: page.before) { return }
      // Advice has emptied the entry, and left the page to this.
      frames.frame(page.before.pfn).removeMapping()
      return memory.putAfterGracePeriod(page.before.pfn)
    }
    defer { memory.swap.release(hold: slot) }
    while true {
      let pte = page.ptep.waitUntilUnlocked()
      // A fault has taken the page, or it was unmapped: the reference falls by way of the deferred frees, as above.
      guard pte == page.after else { return memory.putAfterGracePeriod(page.before.pfn) }
      guard page.ptep.lock(pte) else { continue }
      // The frame is cached still: it has other holders, so the writer has not let it go.
      guard case .frame(page.before.pfn) = memory.swap.claim(slot) else {
        preconditionFailure("\(slot) lost its frame under a page-out")
      }
      page.ptep.store(page.before)
      return memory.put(frames.frame(page.before.pfn), Frame.oneReference)
    }
  }
}
