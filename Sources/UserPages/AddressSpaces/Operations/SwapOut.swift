/// Reclaim of anonymous memory: the hand of a clock goes over the entries of a space, and idle pages go out as in a
/// page-out.
///
/// Other than a page-out, it takes pages that spaces share after a fork. Each entry gives way to the same swap slot
/// when the hand comes to it. The frame stays in the swap cache until the last entry has given way
/// (`SwapArea.Verdict.left`). A fault in between gets the same frame.
extension AddressSpace: ReclaimableSpace {
  /// How many pages share a grace period, and how many entries one turn of the mmap lock looks at.
  private static var swapOutBatch: Int { 32 }
  private static var looksUnderLock: Int { 4096 }

  func swapOut(
    atMost most: Int, of zone: ReclaimZone, sparingAccessed: Bool, keepingIn kept: inout [AnyObject]
  ) -> Int {
    var out = 0
    let start = clockHand.withLock { $0 }
    for range in [start..<VirtualAddress.limit, VirtualAddress(0)..<start] {
      var next = range.lowerBound
      // The last 2 MiB that were broken up, or could not be.
      var brokenUp: VirtualAddress?
      while next < range.upperBound, out < most {
        var turn = ClockTurn(
          most: min(most - out, Self.swapOutBatch), zone: zone, sparesAccessed: sparingAccessed, skips: brokenUp)
        mmapLock.reading { reader in
          next = look(from: next, to: range.upperBound, &turn, reader)
          out += finish(turn.batch, leavesShared: true, reader)
        }
        if let huge = turn.huge {
          // Pages go out one by one.
          breakUpHugeFrames(in: huge.hugeRange)
          brokenUp = huge
        }
        if turn.isFull {
          // A page that came back while it was being written has its slot until the write is over.
          memory.swap.finishWrites()
          if !memory.swap.hasRoom { break }
        }
      }
      clockHand.withLock { $0 = next < VirtualAddress.limit ? next : VirtualAddress(0) }
      if out >= most { break }
    }
    return out
  }

  /// One turn of the mmap lock.
  private struct ClockTurn {
    /// Pages that it may take.
    let most: Int
    let zone: ReclaimZone
    let sparesAccessed: Bool
    /// The 2 MiB of the huge frames that are left alone.
    let skips: VirtualAddress?
    var looks = AddressSpace.looksUnderLock
    var batch: [PageTakenOut] = []
    /// The swap file has no free slot.
    var isFull = false
    /// 2 MiB of which a part was met that is no frame of its own.
    var huge: VirtualAddress?

    init(most: Int, zone: ReclaimZone, sparesAccessed: Bool, skips: VirtualAddress?) {
      self.most = most
      self.zone = zone
      self.sparesAccessed = sparesAccessed
      self.skips = skips
    }
  }

  /// Looks at entries from `start` on, and takes idle pages out. Returns where to go on.
  private func look(
    from start: VirtualAddress, to end: VirtualAddress, _ turn: inout ClockTurn, _ lock: borrowing MmapReader
  ) -> VirtualAddress {
    var position = start
    while position < end, let mapping = mappings.first(endingAbove: position, lock) {
      let part = mapping.value.range.clamped(to: position..<end)
      if part.isEmpty { break }
      position = part.upperBound
      // Private copies of file pages are anonymous memory, too.
      let attributes = mapping.value.attributes
      if attributes.isShared || attributes.isPFN || attributes.isLocked { continue }
      if let stop = look(at: part, of: mapping, &turn, lock) { return stop }
    }
    return end
  }

  /// The same for a part of a mapping. Returns nil at its end.
  private func look(
    at part: Range<VirtualAddress>, of mapping: VMATree.Mapping, _ turn: inout ClockTurn, _ lock: borrowing MmapReader
  ) -> VirtualAddress? {
    var cursor = table.cursor(over: part, lock)
    while let step = cursor.next() {
      switch step {
      case .huge(let span):
        turn.looks -= 1
        let isIdle = takeSecondChance(span.ptep, of: span.range, &turn)
        if isIdle, turn.skips != span.range.lowerBound {
          turn.huge = span.range.lowerBound
          return max(span.range.lowerBound, part.lowerBound)
        }
      case .base(let run):
        for (address, ptep) in run {
          guard turn.looks > 0, turn.batch.count < turn.most else { return address }
          turn.looks -= 1
          guard takeSecondChance(ptep, of: address..<address + Page.size, &turn) else { continue }
          if ptep.load().isHuge, turn.skips != address.hugeStart {
            turn.huge = address.hugeStart
            return address
          }
          guard takeOut(ptep, at: address, in: mapping, takesShared: true, &turn.batch) else {
            turn.isFull = true
            return address
          }
        }
      }
    }
    return nil
  }

  /// Whether an entry maps an anonymous page that may go. One that was accessed loses the mark, and may not if accessed
  /// pages are spared.
  ///
  /// A mirror's accesses do not mark the entry, so its translation goes with the mark.
  private func takeSecondChance(_ ptep: PTEPointer, of range: Range<VirtualAddress>, _ turn: inout ClockTurn) -> Bool {
    let pte = ptep.waitUntilUnlocked()
    guard pte.isMapped, pte.isAnonymous else { return false }
    if turn.zone == .unmovable, frames.isMovable(pte.pfn) { return false }
    guard turn.sparesAccessed, pte.isAccessed else { return true }
    _ = revokingTranslations(of: range) {
      ptep.update { $0.isMapped && $0.isAnonymous && $0.isAccessed ? $0.without(PTELayout.accessed) : nil }
    }
    return false
  }
}

/// What fork, unmap and lazy free do with entries of pages in the swap file.
extension AddressSpace {
  /// Marks a swap entry as shared, for a fork, and counts one more user of its slot. Returns the entry for the child.
  ///
  /// The mapping is write-locked, so no fault takes the page back meanwhile.
  func shareSwapped(_ pte: PTE, at ptep: PTEPointer) -> PTE {
    let shared = pte.with(PTELayout.cowShared)
    _ = ptep.update { _ in shared }
    if let slot = pte.swapSlot { memory.swap.addUser(slot) }
    return shared
  }

  /// Gives up the swap slot of an entry that was just cleared. Returns whether an access through the entry before it
  /// may be under way. It may while the page is in memory: the page-out that replaced that entry may not have waited
  /// yet. A page-out that drops a lazily freed page leaves a migration entry, and may not have waited either.
  @inline(never)
  func giveUpNonPresent(_ pte: PTE) -> Bool {
    guard let slot = pte.swapSlot else { return pte.nonPresentKind == .migration }
    return memory.swap.removeUser(slot)
  }
}
