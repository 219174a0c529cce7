import Glibc
import Synchronization

/// Changes of a memory file's length, and holes, under running mappings, pins and faults (`shmem_setattr`,
/// `shmem_fallocate`).
///
///     truncation                                          a fault
///     1. under `original`'s lock: sets the length,        fills a frame, then under the same lock finds another
///        forgets the contents beyond                      version: fills it again, or finds the page beyond the end
///     2. pages beyond the end leave the cache             finds none, or an answer with the old frame
///     3. advances the sequence                            with an older answer: asks again
///     4. empties the entries, private copies too
///     5. a grace period
///     6. clears the rest of the last page
///
/// A hole is the same without the length: 1, 2, 3, 4 of the pages that were in the cache, private copies not, and 5.
///
/// ORDERING [lock-then-validate]: 3 and 4 against a fault's lock and look. 2 comes before 3: a fault that asks after 3
/// finds no page that step 2 dropped.
///
/// ORDERING [deferred-free]: a look-up that found a page before step 2 retains it in its section. The cache's reference
/// falls a grace period later.
///
/// ORDERING [store-then-length]: 1 comes before 6, against a `write` that stores and then looks at the length.
extension PageCacheFile {
  /// Sets the file's length. Beyond a new end, entries and private copies are gone when the call returns, and an access
  /// is a bus error. A pin keeps its page.
  ///
  /// The rest of the last page is cleared when the file is cut, also to the length that it has. It is not when the file
  /// grows: what a mapping stored there since shows, as in Linux 6.18's `tmpfs`. A ``PageCache`` clears it then too, as
  /// disk file systems do.
  ///
  /// - Throws:
  ///   - `invalidArgument` for a negative length.
  ///   - `file(.resize, errno: EFBIG)` beyond what the file was made for.
  ///   - `outOfMemory` if the swap file has the page that the new end divides, and no frame is to be had for it.
  ///   - `file` if the swap file does not give that page back. The length stays: the rest could not be cleared.
  public func setByteCount(_ count: Int) throws(PageError) {
    guard count >= 0 else { throw .invalidArgument }
    let before = byteCount
    try changeLength { _ in count }
    if count < before { breakUpCutFrames(around: [count / Page.size]) }
  }

  /// Makes the file at least so long.
  func extend(to count: Int) throws(PageError) {
    try changeLength { $0 < count ? count : nil }
  }

  /// Makes whole pages read as zeroes, in the file and in every mapping (`FALLOC_FL_PUNCH_HOLE`). Private copies stay.
  /// Pages beyond the end are left out: there is nothing.
  ///
  /// - Throws: `invalidArgument` for a range that begins below zero.
  public func punchHole(_ pages: Range<Int>) throws(PageError) {
    guard pages.lowerBound >= 0 else { throw .invalidArgument }
    var edges: [Int] = []
    changing { kept, _ in
      let pages = pages.clamped(to: 0..<pageCount)
      if !pages.isEmpty { edges = [pages.lowerBound, pages.upperBound - 1] }
      original.withLock { $0.punch(pages) }
      let dropped = drop(pages)
      YieldPoint.truncationBetweenDropAndUnmap.reach()
      moves.advance()
      _ = spaces.forEach(keepingIn: &kept) { user in
        user.unmapEverywhere(pages: dropped, of: self)
        return true
      }
      YieldPoint.truncationBetweenUnmapAndGrace.reach()
      RCU.synchronize()
    }
    breakUpCutFrames(around: edges)
  }

  /// Throws the cache away, as when the file is deleted. Mapped and pinned frames live on until they are let go. A
  /// later access reads the file's first contents again, without what was cut off.
  ///
  /// It waits for a page-out that is under way: entries of a page that is dropped are not emptied.
  ///
  /// - Precondition: not inside a read-side section.
  /// - Complexity: O(pages that were ever cached), whatever the file's length is.
  public func drop() {
    _ = changeLock.holding { () -> Void in _ = drop(0..<pageCount) }
    memory.deferred.drainIfFull()
  }

  /// Takes the pages of a range out of the cache, and out of the swap file. Returns those that were there, in order.
  @discardableResult
  func drop(_ pages: Range<Int>) -> [Int] {
    var dropped: [Int] = []
    index.forEach(in: pages) { page in
      // Between two looks a fault may bring the page in, or a page-out take it out: it goes from where it is then.
      while !index.isEmpty(page) {
        if let slot = index.slot(at: page) {
          guard memory.swap.drop(slot, ofPage: page, in: index) else { continue }
        } else {
          guard let pfn = index[page], index.remove(pfn, at: page) else { continue }
          memory.putAfterGracePeriod(memory.frames.number(of: memory.frames.folio(of: pfn)))
        }
        dropped.append(page)
        break
      }
      return true
    }
    return dropped
  }

  /// - Parameter wanted: the new length for the one that there is. Nil if that may stay.
  private func changeLength(_ wanted: (Int) -> Int?) throws(PageError) {
    while let count = wanted(byteCount) {
      // Before the change lock, under which nothing is reclaimed.
      let tail = try swapInTail(of: count)
      defer { put(tail) }
      YieldPoint.cutBetweenTailAndLock.reach()
      if try changeLengthUnlessTailIsOut(wanted) { return }
    }
  }

  /// Returns false, and changes nothing, if the page that the new end divides is in the swap file. It was not there a
  /// moment ago, or lay beyond the end, and has come and gone out since.
  private func changeLengthUnlessTailIsOut(_ wanted: (Int) -> Int?) throws(PageError) -> Bool {
    var tail: PFN?
    // The flush runs a user's code, so after the lock is given up. The reference keeps the frame until then.
    defer { if let tail { flush(tail) } }
    var isOut = false
    try changing { kept, _ throws(PageError) in
      let before = byteCount
      guard let after = wanted(before) else { return }
      guard after <= maximumByteCount else { throw .file(.resize, errno: EFBIG) }
      isOut = after <= before && after % Page.size > 0 && index.slot(at: after / Page.size) != nil
      if isOut { return }
      original.withLock { original in
        length.store(after, ordering: .sequentiallyConsistent)
        if after <= before { original.cut(at: after) }
      }
      guard after <= before else { return }
      let end = Page.count(holding: after)
      drop(end..<Page.count(holding: before))
      YieldPoint.truncationBetweenDropAndUnmap.reach()
      moves.advance()
      _ = spaces.forEach(keepingIn: &kept) { user in
        user.unmapAll(from: end, of: self)
        return true
      }
      YieldPoint.truncationBetweenUnmapAndGrace.reach()
      RCU.synchronize()
      tail = try clearTail(from: after)
    }
    return !isOut
  }

  /// Runs `body` alone. No code of a user runs in it, so the lock's holder never comes again.
  func changing<Failure: Error>(
    _ body: (inout [any BackingUser], borrowing OwnedLock.Held) throws(Failure) -> Void
  ) throws(Failure) {
    var kept: [any BackingUser] = []
    // A space may end with the last reference here, and run its backings' ends: after the lock.
    defer { withExtendedLifetime(kept) {} }
    _ = try changeLock.holding { held throws(Failure) in try body(&kept, held) }
  }

  /// Clears the rest of the last page if it is cached. If it is not, it will be filled without that. Returns the page's
  /// frame, with a reference for the caller.
  private func clearTail(from end: Int) throws(PageError) -> PFN? {
    let within = end % Page.size
    guard within > 0, let tail = try cachedFrame(of: end / Page.size) else { return nil }
    memory.frames.bytes(of: tail).fill(0, fromByteOffset: within, count: Page.size - within)
    return tail
  }

  /// Flushes a page that was cleared and may be mapped, and gives the reference back.
  private func flush(_ tail: PFN) {
    dataCacheCounter.flush(tail, in: memory)
    put(tail)
  }

  private func put(_ pfn: PFN?) {
    if let pfn { memory.put(memory.frames.folio(of: pfn), Frame.oneReference) }
  }
}
