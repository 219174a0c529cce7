/// Writing anonymous pages out (`MADV_PAGEOUT`).
///
/// In batches, each in one turn of the mmap lock, held for reading:
///
///     A. an entry gives way to a swap entry; its frame goes into the swap cache, its reference becomes the batch's
///     B. one grace period for all of them
///     C. who has a frame besides the cache and the batch? Where somebody has, the page comes back as it was
///     D. the rest is left to the writer, who frees each frame when the file has it
///
/// A fault that comes for the page in between takes the same frame out of the cache, so program and pins never see two.
extension AddressSpace {
  /// A page that a batch has taken out.
  private struct Taken {
    let ptep: PTEPointer
    /// The entry as it was.
    let before: PTE
    let slot: SwapSlot

    var after: PTE { PTE(swappedTo: slot, isShared: !before.isExclusive) }
  }

  /// The most pages of a batch: what one grace period is worth.
  private static let batchSize = 512

  /// Pages out what can be in a range: anonymous pages that nobody else maps and nobody pins. Others stay, as on Linux.
  func pageOut(_ range: Range<VirtualAddress>) throws(PageError) {
    // Pages go out one by one.
    if mmapLock.reading({ showsHugeFrames(range) }) { breakUpHugeFrames(in: range) }
    var error: PageError?
    var next = range.lowerBound
    var lastFull: VirtualAddress?
    while next < range.upperBound {
      var isFull = false
      mmapLock.reading {
        let (parts, hasHole) = parts(of: next..<range.upperBound)
        next = range.upperBound
        if hasHole { error = .outOfMemory }
        var batch: [Taken] = []
        for (part, mapping) in parts {
          if mapping.value.attributes.kind.isPFN {
            error = .invalidArgument
            break
          }
          if let end = takeOut(part, in: mapping, &batch, &isFull) {
            next = end
            break
          }
        }
        finish(batch)
      }
      guard isFull else { continue }
      // A page that came back while it was being written has its slot until the write is over.
      if lastFull == next { throw .outOfMemory }
      lastFull = next
      memory.swap.finishWrites()
    }
    memory.deferred.drainIfFull()
    if let error { throw error }
  }

  /// Takes pages of a part of a mapping out; returns where to go on, where there was no room in the batch or the swap file.
  private func takeOut(
    _ part: Range<VirtualAddress>, in mapping: VMATree.Mapping, _ batch: inout [Taken], _ isFull: inout Bool
  ) -> VirtualAddress? {
    var stopped: VirtualAddress?
    table.forEachNode(in: part) { _ in
      // It could not be broken up: somebody else has it.
      .next
    } _: { start, node, indices in
      for index in indices {
        let address = start + (index - indices.lowerBound) * Page.size
        if batch.count == Self.batchSize || !takeOut(node[index], at: address, in: mapping, &batch) {
          isFull = batch.count < Self.batchSize
          stopped = address
          return false
        }
      }
      return true
    }
    return stopped
  }

  /// Takes one page out, if it may go; false where the swap file is full.
  ///
  /// What is asked here of the frame only saves the trouble: pins are looked for after the grace period.
  private func takeOut(
    _ ptep: PTEPointer, at address: VirtualAddress, in mapping: VMATree.Mapping, _ batch: inout [Taken]
  ) -> Bool {
    // In one section with the entry, so that the frame has a reference while the cache takes its own.
    RCU.read {
      while true {
        let pte = ptep.waitUntilUnlocked()
        guard pte.isMapped, pte.isAnonymous, !pte.isHuge,
          let frame = normalFrame(pte, at: address, in: mapping), frame.mapCount == 1, frame.pins == 0
        else { return true }
        let isShared = !pte.isExclusive
        // ORDERING [change-then-count]: the entry is replaced here, the references are looked at in `SwapArea.decide`.
        let result = memory.swap.replace(pte.pfn) { slot in
          ptep.replace(pte, with: PTE(swappedTo: slot, isShared: isShared))
        }
        switch result {
        case .lost: continue
        case .full: return false
        case .replaced(let slot):
          frame.removeMapping()
          // Before it is put back, a fault may have had it, slots may have held it, and another page-out taken it again, into
          // the same slot of the file.
          batch.append(Taken(ptep: ptep, before: pte.without(PTELayout.neverSlotPinned), slot: slot))
          return true
        }
      }
    }
  }

  /// Steps B to D, under the mmap lock: no entry is moved, inherited or re-protected meanwhile.
  private func finish(_ batch: [Taken]) {
    if batch.isEmpty { return }
    YieldPoint.pageOutBetweenEntriesAndGrace.reach()
    // ORDERING [swap-then-copy]: the entries were replaced before; when this returns, every store by one of them has landed, and
    // the frame may be copied to the file.
    RCU.synchronize()
    YieldPoint.pageOutBetweenGraceAndLook.reach()
    var staying = decide(batch)
    if staying.contains(where: { frames.frame($0.before.pfn).pins == 0 }) {
      // References that only wait for a grace period, of another space that has unmapped the page, are nobody's.
      memory.deferred.reclaim()
      staying = decide(staying)
    }
    for page in staying { putBack(page) }
  }

  /// Lets go of what nobody has; returns the rest.
  private func decide(_ pages: [Taken]) -> [Taken] {
    // ORDERING [slot-then-leave]: the entries were replaced, a grace period has passed, the slots are looked at now.
    let slots = PinSlotSnapshot()
    return pages.filter { page in
      let pfn = page.before.pfn
      switch memory.swap.decide(page.slot, pfn, isPinned: slots.holds(frames.frame(pfn))) {
      case .out: return false
      case .gone:
        // By way of the deferred frees, where pin slots are looked at before the last reference falls.
        memory.putAfterGracePeriod(pfn)
        return false
      case .stays: return true
      }
    }
  }

  /// Undoes step A, unless a fault did already or the page was thrown away.
  private func putBack(_ page: Taken) {
    defer { memory.swap.release(hold: page.slot) }
    while true {
      let pte = page.ptep.waitUntilUnlocked()
      // A fault has it, or nobody wants it any more: by way of the deferred frees, as above.
      guard pte == page.after else { return memory.putAfterGracePeriod(page.before.pfn) }
      guard page.ptep.lock(pte) else { continue }
      // Cached still: more than the cache has it, so nobody has let go of it.
      guard case .frame(page.before.pfn) = memory.swap.claim(page.slot) else {
        preconditionFailure("\(page.slot) lost its frame under a page-out")
      }
      page.ptep.store(page.before)
      return memory.put(frames.frame(page.before.pfn), Frame.oneReference)
    }
  }
}
