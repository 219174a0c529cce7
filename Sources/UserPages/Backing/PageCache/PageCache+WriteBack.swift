import Synchronization

/// Writing dirty pages to the store: (b1) to (b8) of the protocol.
extension PageCache {
  /// Writes what is dirty among some pages, and returns when the writes are over (`sync_file_range(2)`). What the disk
  /// caches may still be lost: `sync` makes it safe.
  ///
  /// An error is reported by the next `sync` of each handle. The pages concerned stay dirty.
  ///
  /// - Throws: `busy` inside `willWriteBack` and inside a call of the store.
  public func flush(_ pages: Range<Int>) throws(PageError) {
    try requireNoStoreCall()
    var kept: [any BackingUser] = []
    defer { withExtendedLifetime(kept) {} }
    let range = pages.clamped(to: 0..<states.capacity)
    let done: Void? = writeBackLock.holding { held in writeBack(dirtyPages(in: range), keepingIn: &kept, held) }
    if done == nil { throw .busy }
  }

  /// Writes everything back and syncs the store. Errors go to the error sequence.
  func syncAll() throws(PageError) {
    try requireNoStoreCall()
    var kept: [any BackingUser] = []
    defer { withExtendedLifetime(kept) {} }
    let done: Void? = writeBackLock.holding { held in
      writeBack(dirtyPages(in: 0..<states.capacity), keepingIn: &kept, held)
      YieldPoint.syncBetweenWriteBackAndList.reach()
      let written = unsynced.withLock { $0 }
      do throws(PageError) {
        try callingStore { () throws(PageError) in try store.sync() }
        unsynced.withLock { $0.subtract(written) }
      } catch {
        errors.withLock { $0.note(error, isSync: true) }
        // The disk may have lost what it had not made durable. What is still here is written again. A page that moves
        // takes no mark while it is `reading`: it is that under the content lock alone (`PageCache.install`).
        reader.contentLock.writing { for page in written { _ = markDirty(page) } }
        unsynced.withLock { $0.subtract(written) }
      }
    }
    if done == nil { throw .busy }
  }

  /// Writes the dirty ones among `pages`, in batches.
  ///
  /// - Precondition: the caller holds no other lock but `evictionLock`. A lock that is not held lends no proof.
  /// - Parameters:
  ///   - pages: in order, each once.
  ///   - kept: gets the users that were asked, to be released when no lock is held.
  ///   - held: `writeBackLock`.
  func writeBack(_ pages: [Int], keepingIn kept: inout [any BackingUser], _ held: borrowing OwnedLock.Held) {
    held.check(isOf: writeBackLock)
    writeBack(pages, isMapped: true, &kept)
  }

  /// Writes what is dirty when no mapping is left, as the last step of the cache's life. There is no handle to report
  /// an error to.
  func writeBackAtEnd() {
    var none: [any BackingUser] = []
    writeBack(dirtyPages(in: 0..<states.capacity), isMapped: false, &none)
  }

  /// The pages of a range that are dirty, in order. Each page that was marked before the call is among them. A page
  /// that is under write-back meanwhile is none, so the caller holds `writeBackLock`, or is the cache's end.
  ///
  /// - Complexity: O(the shorter of the range and the most pages that were ever in memory). O(1) if no page is dirty.
  private func dirtyPages(in range: Range<Int>) -> [Int] {
    // ORDERING [count-then-mark]: no mark that the calling thread may have seen is missing in the count.
    if dirtyPages == 0 { return [] }
    if range.count < residents.extent { return range.filter { states[$0].isDirty } }
    return residents.pages(in: range) { states[$0].isDirty }.map(\.page)
  }

  private func writeBack(_ pages: [Int], isMapped: Bool, _ kept: inout [any BackingUser]) {
    var next = 0
    while next < pages.count {
      YieldPoint.writeBackBeforeMarks.reach()
      var batch = Batch()
      while next < pages.count, batch.pages.count < Self.batchSize {
        begin(pages[next], &batch)
        next += 1
      }
      if !batch.pages.isEmpty { write(batch, isMapped: isMapped, &kept) }
    }
  }

  /// Pages that are written together.
  private struct Batch {
    var pages: [Int] = []
    var frames: [PFN] = []
  }

  /// (b1): exchanges a page's dirty mark for the write-back mark, if it has one.
  private func begin(_ page: Int, _ batch: inout Batch) {
    let before = states.update(page) { state in
      state.isDirty && state.pfn != nil
        ? state.without(PageState.dirtyMark).with(PageState.writeBackMark) : nil
    }
    guard let pfn = before?.pfn else { return }
    batch.pages.append(page)
    batch.frames.append(pfn)
    memory.frames.frame(pfn).clear(Frame.dirtyBit)
  }

  /// (b2) to (b4): returns when no store by an entry is on its way.
  private func endStores(to pages: [Int], isMapped: Bool, _ kept: inout [any BackingUser]) {
    // ORDERING [lock-then-validate]: (b1) before (b2), (b2) before any entry is looked at: see (c).
    moves.advance()
    YieldPoint.writeBackBetweenSequenceAndProtect.reach()
    if isMapped {
      _ = spaces.forEach(keepingIn: &kept) { user in
        user.writeProtect(pages: pages, of: self)
        return true
      }
    }
    YieldPoint.writeBackBetweenProtectAndGrace.reach()
    // Without writable entries no store is on its way. What `write` copies meanwhile, it marks after.
    if takesStores { RCU.synchronize() }
  }

  /// (b2) to (b8). The write-back marks keep the frames: neither the evictor nor a truncation takes a page that has
  /// one.
  private func write(_ batch: Batch, isMapped: Bool, _ kept: inout [any BackingUser]) {
    YieldPoint.writeBackBetweenMarksAndSequence.reach()
    // `write` may be copying into a page that it found without the mark.
    if isStable { copyLock.writing {} }
    endStores(to: batch.pages, isMapped: isMapped, &kept)
    YieldPoint.writeBackBetweenGraceAndLook.reach()
    let failure = callHook(of: batch, isMapped: isMapped, &kept)
    let copiesAll = copiesFirst()
    let bytes = bytesToWrite(batch, copyingAll: copiesAll)
    YieldPoint.writeBackBetweenCopiesAndStores.reach()
    if copiesAll { letStoresIn(to: batch.pages) }
    // No program stores to what is written, if the cache is stable: it is a copy, or stores wait. So the store may.
    let errors: [PageError?] =
      if let failure {
        Array(repeating: failure, count: batch.pages.count)
      } else {
        callingStore { store.write(LentPages(bytes, isWritable: isStable), at: batch.pages) }
      }
    YieldPoint.writeBackBetweenStoresAndEnd.reach()
    finish(batch.pages, errors)
    reader.changes.locked { reader.changes.wakeAll() }
  }

  /// (b5), and (b5') of `Stability`: the hook's own stores have made entries writable and pages dirty. Those pages go
  /// through (b1) to (b4) again, so that all that came by such an entry is in what is copied or written. Returns the
  /// hook's error.
  private func callHook(of batch: Batch, isMapped: Bool, _ kept: inout [any BackingUser]) -> PageError? {
    guard let hook = hooks.willWriteBack else { return nil }
    var failure: PageError?
    do throws(PageError) { try hook(batch.pages) } catch { failure = error }
    guard isStable else { return failure }
    var again = Batch()
    for page in batch.pages { begin(page, &again) }
    if !again.pages.isEmpty { endStores(to: again.pages, isMapped: isMapped, &kept) }
    return failure
  }

  /// (b6): the bytes to write: of a page that a pin or a get holds a copy, since its holder may store at any time. Such
  /// a page is dirty again at once. Neither a slot nor a count says whether a hold is for writing, so each one counts.
  /// If no mapping may store, no holder does.
  ///
  /// ORDERING [slot-then-leave], [change-then-count]: the entries were write-protected, a grace period has passed,
  /// slots and counts are looked at now.
  private func bytesToWrite(_ batch: Batch, copyingAll: Bool) -> [FrameBytes] {
    let slots = takesStores ? PinSlotSnapshot(of: memory.frames) : nil
    let byteCount = byteCount
    return batch.pages.indices.map { index in
      let frame = memory.frames.frame(batch.frames[index])
      let bytes = memory.frames.bytes(of: batch.frames[index])
      // What a mapping stored behind the end is no part of the file. As on Linux, it is gone from the mapping too.
      let end = byteCount - batch.pages[index] * Page.size
      if 0 < end, end < Page.size {
        bytes.fill(0, fromByteOffset: end, count: Page.size - end)
        flushDataCache(of: batch.frames[index])
      }
      let isHeld = slots.map { frame.pins > 0 || $0.holds(frame) || hasOtherReferences(frame) } ?? false
      if isHeld { _ = markDirty(batch.pages[index]) }
      guard isHeld || copyingAll else { return bytes }
      copies[index].copy(page: bytes)
      copyCount.wrappingAdd(1, ordering: .relaxed)
      return copies[index]
    }
  }

  /// Whether a frame has more references than the cache's and its entries': a get's, or one that waits to be put.
  ///
  /// ORDERING [deferred-free]: entries are counted first, then references, in one section. The reference of an entry
  /// falls a grace period after its mapping, also if a fault has counted the entry and could not install it. So each
  /// entry that is counted has its reference until the section ends, and a get's is one more. An entry that comes
  /// between the looks makes the page seem held, which is safe.
  ///
  /// With the references of failed faults put at once, a get's could pass for one of them:
  /// 1. A fault retains the frame and counts its entry.
  /// 2. The write-back counts entries, this one among them.
  /// 3. The fault finds the sequence advanced, and gives back its mapping and its reference.
  /// 4. The write-back counts references: one for each counted entry, the last of them the get's.
  func hasOtherReferences(_ frame: Frame) -> Bool {
    RCU.read {
      let mappings = frame.mapCount
      YieldPoint.writeBackBetweenMappingsAndReferences.reach()
      return frame.references > 1 + mappings
    }
  }

  /// (b8).
  private func finish(_ pages: [Int], _ errors: [PageError?]) {
    let errors = reported(errors, of: pages.count, .write)
    // Once for the batch: between two notes a handle could look, and would get the same failure again. Before the marks
    // go: a sync that finds none looks for errors next.
    let failures = errors.compactMap { $0 }
    if let last = failures.last { self.errors.withLock { $0.note(last) } }
    reader.failedWrites.wrappingAdd(failures.count, ordering: .relaxed)
    for (page, error) in zip(pages, errors) {
      if error == nil { _ = unsynced.withLock { $0.insert(page) } }
      states.update(page) { state in
        let done = state.without(PageState.writeBackMark | PageState.copiedMark)
        return error == nil ? done : done.with(PageState.dirtyMark)
      }
    }
  }
}
