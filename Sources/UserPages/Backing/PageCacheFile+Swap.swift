/// Paging a memory file out (`shmem_writeout`), and in again (`shmem_swapin_folio`).
///
/// A place in the index has a frame, or the slot of the swap file where the page is, or nothing. Entries of pages that
/// are out are empty, in every space. The slot and the swap cache are those of anonymous pages (`SwapArea`).
///
///     page-out, holding the change lock                  faults, `read`, `write`
///     1. the place gets a slot instead of the frame,     find the slot: they take the frame out of the swap cache,
///        and the frame goes into the swap cache          and put it back into its place
///     2. empties the entries in every space              by an old entry: accesses and pins of the same frame
///     3. a grace period                                  a look-up that found the frame before 1 has its reference,
///                                                        stores have landed, pins are counted or in a slot
///     4. looks at holders: a page that is held comes     hold the frame: they have a reference, which came with the
///        back into its place                             answer, the pin, or the entry that was made meanwhile
///     5. the others are the swap file's writer's         find the slot: they take the frame back, or read it
///
/// From 1 to 5 the page has one frame. So a fault may take it back at any moment, and nothing is lost: if it does so
/// before 4, the page-out finds it gone; later, the swap cache has it until the file has the page.
///
/// ORDERING [change-then-count], [swap-then-copy]: 1 and 2, then the grace period, then 4. References that come later
/// come by way of the slot, under the area's monitor.
///
/// ORDERING [slot-then-leave]: the entries were emptied, a grace period has passed, the pin slots are looked at.
///
/// A cut or a hole does not run beside a page-out: both hold the change lock. Beside a page that comes in, the place
/// tells: the page that was read goes there only if the place has the slot still.
///
/// 2 MiB in one frame stay in memory. Linux splits them, or writes them whole.
extension PageCacheFile: ReclaimableSpace {
  /// A page. Its place has a slot, which the page-out holds, and the page-out has the reference that the place had.
  private struct PageTakenOut {
    let page: Int
    let pfn: PFN
    let slot: SwapSlot
  }

  /// Leaves those of `pages` to the swap file's writer that nothing holds, and that no locked mapping shows.
  ///
  /// - Parameters:
  ///   - pages: in order, each once. They share a grace period.
  ///   - kept: gets the spaces that were asked.
  /// - Returns: how many are the writer's, and whether the swap file was full before all of them had slots.
  func swapOut(_ pages: some Sequence<Int>, keepingIn kept: inout [any BackingUser]) -> (out: Int, isFull: Bool) {
    changeLock.holding { () -> (out: Int, isFull: Bool) in
      var batch: [PageTakenOut] = []
      var isFull = false
      for page in pages where page < index.count {
        guard takeOut(page, &batch) else {
          isFull = true
          break
        }
      }
      return (batch.isEmpty ? 0 : finish(batch, keepingIn: &kept), isFull)
    } ?? (0, false)
  }

  /// Step 1. Returns false if the swap file is full.
  private func takeOut(_ page: Int, _ batch: inout [PageTakenOut]) -> Bool {
    // In one section with the look, so that the frame has a reference while the cache takes its own.
    RCU.read { section in
      guard let pfn = index[page] else { return true }
      let frame = memory.frames.frame(pfn)
      // Pins are a hint that saves work. The look that counts is step 4.
      guard !frame.has(Frame.hugeBit), frame.pins == 0 else { return true }
      switch memory.swap.replace(pfn, section, { slot in index.replace(pfn, with: slot, at: page) }) {
      case .replaced(let slot): batch.append(PageTakenOut(page: page, pfn: pfn, slot: slot))
      // The file has dropped the page.
      case .lost: break
      case .full: return false
      }
      return true
    }
  }

  /// Steps 2 to 5.
  private func finish(_ batch: [PageTakenOut], keepingIn kept: inout [any BackingUser]) -> Int {
    YieldPoint.fileOutBetweenPlaceAndEntries.reach()
    _ = spaces.forEach(keepingIn: &kept) { $0.unmap(pages: batch.map(\.page), of: self, sparingLocked: true) }
    YieldPoint.pageOutBetweenEntriesAndGrace.reach()
    // One grace period for both: after the entries' end, and for the references that they held.
    let period = GracePeriod.next
    memory.deferred.reclaim()
    period.wait()
    YieldPoint.pageOutBetweenGraceAndLook.reach()
    let slots = PinSlotSnapshot(of: memory.frames)
    var out = 0
    for page in batch {
      switch memory.swap.decide(page.slot, page.pfn, holder: slots.holder(of: memory.frames.frame(page.pfn))) {
      case .out: out += 1
      // By way of the deferred frees, where pin slots are looked at before the last reference falls.
      case .gone: memory.putAfterGracePeriod(page.pfn)
      case .stays: putBack(page)
      case .left, .leftToSlot: preconditionFailure("a page of a file was left to its holders")
      }
    }
    return out
  }

  /// Undoes step 1, unless a fault did already or the file dropped the page.
  private func putBack(_ page: PageTakenOut) {
    YieldPoint.pageOutBetweenLookAndPutBack.reach()
    switch memory.swap.claim(page.slot, ofPage: page.page, in: index) {
    case .frame(page.pfn): memory.put(memory.frames.frame(page.pfn), 2 * Frame.oneReference)
    case .lost: memory.putAfterGracePeriod(page.pfn)
    // The frame has other holders, so the writer has not let it go.
    case .frame, .unread: preconditionFailure("\(page.slot) lost its frame under a page-out")
    }
    memory.swap.release(hold: page.slot)
  }

  // MARK: In

  /// The page of a place that has a slot, with a reference for the caller. Nil if the place has something else by now.
  ///
  /// - Throws: `outOfMemory`, or `file` if the swap file does not have what was written there.
  func swapIn(_ slot: SwapSlot, ofPage page: Int) throws(PageError) -> PFN? {
    switch memory.swap.claim(slot, ofPage: page, in: index) {
    case .frame(let pfn): return noteSwappedIn(pfn)
    case .lost: return nil
    case .unread: break
    }
    // Held, so that no other page gets the slot.
    defer { memory.swap.release(hold: slot) }
    YieldPoint.swapInBetweenHoldAndRead.reach()
    let own = try memory.allocateFrame(.mayReclaim)
    do throws(PageError) { try memory.swap.read(slot, into: own) } catch {
      memory.discardFrame(own)
      throw error
    }
    YieldPoint.swapInBetweenReadAndMap.reach()
    // ORDERING [lock-then-validate]: under the monitor, a place that has the slot still. A hole or another fault took
    // it away otherwise.
    guard case .frame = memory.swap.claim(slot, ofPage: page, in: index, own: own) else {
      memory.discardFrame(own)
      return nil
    }
    return noteSwappedIn(own)
  }

  /// The slot is gone with its contents, so the frame has the only copy.
  private func noteSwappedIn(_ pfn: PFN) -> PFN {
    memory.frames.frame(pfn).set(Frame.dirtyBit)
    return pfn
  }

  /// The page that a new end divides, with a reference for the caller: its rest is to be cleared, and there may be no
  /// frame for it later. Nil where the file has no such page, also if the swap file has lost it.
  ///
  /// A page with a reference does not go out.
  func swapInTail(of end: Int) throws(PageError) -> PFN? {
    let page = end / Page.size
    guard end % Page.size > 0, end <= byteCount else { return nil }
    do throws(PageError) {
      while !index.isEmpty(page) {
        if let pfn = try cachedFrame(of: page) { return pfn }
        if let slot = index.slot(at: page), let pfn = try swapIn(slot, ofPage: page) { return pfn }
      }
    } catch {
      if case .outOfMemory = error { throw error }
    }
    return nil
  }

  // MARK: Reclaim

  // No page of a memory file is in a movable frame, so each zone is as good.
  func swapOut(
    atMost most: Int, of zone: ReclaimZone, sparingAccessed: Bool, keepingIn kept: inout [AnyObject]
  ) -> Int {
    var users: [any BackingUser] = []
    defer { kept += users.map { $0 as AnyObject } }
    var out = 0
    let start = clockHand.withLock { $0 }
    for range in [start..<max(index.count, start), 0..<start] {
      var next = range.lowerBound
      while out < most {
        let found = cachedPages(in: next..<range.upperBound, atMost: min(most - out, 32))
        guard let last = found.last else { break }
        next = last + 1
        let idle = sparingAccessed ? withoutAccessed(found, &users) : found
        let (count, isFull) = swapOut(idle, keepingIn: &users)
        out += count
        if isFull {
          // A page that came back while it was being written has its slot until the write is over.
          memory.swap.finishWrites()
          if !memory.swap.hasRoom { return out }
        }
      }
      clockHand.withLock { $0 = next }
      if out >= most { break }
    }
    return out
  }

  func breakUpLeftovers() -> Int { 0 }

  /// The first pages of a range that have frames of their own. The look at other pages' entries would split 2 MiB.
  private func cachedPages(in range: Range<Int>, atMost most: Int) -> [Int] {
    var found: [Int] = []
    index.forEach(in: range) { page in
      let isBase = RCU.read { _ in index[page].map { !memory.frames.frame($0).has(Frame.hugeBit) } ?? false }
      if isBase { found.append(page) }
      return found.count < most
    }
    return found
  }

  /// The pages without those that a program accessed since the last look, which lose the sign of it.
  private func withoutAccessed(_ pages: [Int], _ users: inout [any BackingUser]) -> [Int] {
    var accessed: Set<Int> = []
    _ = spaces.forEach(keepingIn: &users) { user in
      accessed.formUnion(user.takeAccessed(among: pages, of: self))
      return true
    }
    return pages.filter { !accessed.contains($0) }
  }
}
