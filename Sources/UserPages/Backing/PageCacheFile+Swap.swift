/// Paging a memory file out (`shmem_writeout`), and in again (`shmem_swapin_folio`).
///
/// A place in the index has a frame, or the slot of the swap file where the page is, or nothing. Entries of pages that
/// are out are empty, in every space. The slot and the swap cache are those of anonymous pages (`SwapArea`).
///
///     page-out, holding the change lock                  faults, `read`, `write`
///     1. the place gets a slot instead of the frame,     find the slot: they take the frame out of the swap cache,
///        and the frame goes into the swap cache          and put it back into its place
///     2. empties the entries of the frame in all spaces  by an old entry: accesses and pins of the same frame
///     3. a grace period                                  a look-up that found the frame before 1 has its reference,
///                                                        stores have landed, pins are counted or in a slot
///     4. looks at holders: a page that is held comes     hold the frame: they have a reference, which came with the
///        back into its place                             answer, the pin, or the entry that was made meanwhile
///     5. the others are the swap file's writer's         find the slot: they take the frame back, or read it
///
/// From 1 to 5 the page has one frame. So a fault may take it back at any moment, and nothing is lost. If it does so
/// before 4, the page-out finds it gone. Later, the swap cache has it until the file has the page.
///
/// ORDERING [change-then-count], [swap-then-copy]: 1 and 2, then the grace period, then 4. References that come later
/// come by way of the slot, under the area's monitor.
///
/// ORDERING [slot-then-leave]: the entries were emptied, a grace period has passed, the pin slots are looked at. (The
/// deferred frees keep an entry's reference as long as a slot has the frame, so the references would show it too.)
///
/// A cut, a hole, a drop or a collapse does not run beside a page-out: each holds the change lock. Beside a page that
/// comes in, the place tells: the page that was read goes there only if the place has the slot still.
///
/// 2 MiB in one frame are broken up first (`PageCacheFile+BreakUp.swift`). If they are held, they stay.
extension PageCacheFile {
  /// A page. Its place has a slot, which the page-out holds, and the page-out has the reference that the place had.
  private struct PageTakenOut {
    let page: Int
    let pfn: PFN
    let slot: SwapSlot
  }

  /// Leaves those of `pages` to the swap file's writer that nothing holds, and that no locked mapping shows. Breaks up
  /// the 2 MiB frames that they are parts of.
  ///
  /// - Parameters:
  ///   - pages: in order, each once. They share a grace period.
  ///   - holders: what was in pin slots lately. A hint.
  ///   - kept: gets the spaces that were asked.
  /// - Returns: how many are the writer's, and at how many of `pages` it has looked. They are not all if the swap file
  ///   was full.
  func swapOut(
    _ pages: some Collection<Int>, sparing holders: PinSlotSnapshot, keepingIn kept: inout [any BackingUser]
  ) -> (out: Int, looked: Int) {
    changeLock.holding { held -> (out: Int, looked: Int) in
      guard isEvictable else { return (0, pages.count) }
      // A full swap file takes none of them.
      if memory.swap.hasRoom { _ = breakUp(hugeFrames(at: pages), sparingLocked: true, keepingIn: &kept, held) }
      var batch: [PageTakenOut] = []
      var looked = 0
      for page in pages {
        if page < index.count, !takeOut(page, sparing: holders, &batch) { break }
        looked += 1
      }
      return (batch.isEmpty ? 0 : finish(batch, keepingIn: &kept), looked)
    } ?? (0, pages.count)
  }

  /// Whether pages may go to the swap file.
  var isEvictable: Bool { memory.swap.store.pages > 0 && mayMove.withLock { $0 } }

  /// Keeps pages in their frames from here on (`mapping_set_unevictable`): a mapping shows frames without references.
  ///
  /// Under the change lock: when it returns, neither a page-out nor a collapse is under way.
  func keepFrames() { _ = changeLock.holding { () -> Void in mayMove.withLock { $0 = false } } }

  /// Step 1. Returns false if the swap file is full.
  private func takeOut(_ page: Int, sparing holders: PinSlotSnapshot, _ batch: inout [PageTakenOut]) -> Bool {
    // In one section with the look, so that the frame has a reference while the cache takes its own.
    RCU.read { section in
      guard let pfn = index[page] else { return true }
      let frame = memory.frames.frame(pfn)
      // Holders are a hint that saves work. The look that counts is step 4.
      guard !frame.has(Frame.hugeBit), frame.pins == 0, !holders.holds(frame) else { return true }
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
    let (pages, frames) = (batch.map(\.page), batch.map(\.pfn))
    _ = spaces.forEach(keepingIn: &kept) { user in
      user.unmap(frames, ofPages: pages, of: self, sparingLocked: true)
      return true
    }
    YieldPoint.pageOutBetweenEntriesAndGrace.reach()
    memory.waitForReadersOfOldEntries()
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

  /// The page that a new end divides, with a reference for the caller. Its rest is to be cleared, and there may be no
  /// frame for it later. Nil where the file has no such page.
  ///
  /// A page with a reference does not go out.
  ///
  /// - Throws: as `swapIn`. The cut is not made then: what it could not clear would come back when the file grows.
  func swapInTail(of end: Int) throws(PageError) -> PFN? {
    let page = end / Page.size
    guard end % Page.size > 0, end <= byteCount else { return nil }
    while !index.isEmpty(page) {
      if let pfn = try cachedFrame(of: page) { return pfn }
      if let slot = index.slot(at: page), let pfn = try swapIn(slot, ofPage: page) { return pfn }
      if index.isWithheld(page) { waitForCollapse() }
    }
    return nil
  }
}
