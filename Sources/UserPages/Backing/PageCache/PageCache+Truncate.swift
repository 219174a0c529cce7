import Glibc
import Synchronization

/// Changes of the file's length, and holes, under running mappings, pins and faults (`truncate_pagecache`).
///
///     truncation                                     a fault                                a load, a store, a pin
///     1. takes the write-back lock, then
///        the content lock for writing                reads no page from the store
///     2. sets the store's length, then the cache's   finds the page beyond the end
///     3. pages beyond the end become empty           finds none, and the length
///     4. advances the sequence                       with an older answer: asks again
///     5. empties the entries, private copies too                                            finds no entry: faults
///     6. a grace period                                                                     those under way are over
///
/// A page that is pinned lives on without the cache until it is released.
///
/// A hole is the same without the length: 1, the store's hole, 3 of its pages, 4, 5 and 6. Here 5 is for those that
/// were in the cache, and leaves private copies. An invalidation is a hole that holds all pages, with the store's
/// length in step 2. The locks of 1 last until 6 is over:
///
/// - A write-back that took a page's dirty mark has written it before the store makes the hole, or finds no page.
/// - A fault that finds a page gone waits, and reads what the store has afterwards.
///
/// ORDERING [lock-then-validate]: 4 and 5 against a fault's lock and look. 3 comes before 4: a fault that asks after 4
/// finds no page that step 3 dropped. 4 comes before 5. If a fault with an answer older than 4 locks its entry before 5
/// looks at it, step 5 waits for the fault. Else the fault finds the sequence advanced.
///
/// ORDERING [deferred-free]: a look-up that found a page before step 3 retains it in its section. The cache's reference
/// falls a grace period later.
extension PageCache {
  /// Sets the file's length. Beyond a new end, entries and private copies are gone when the call returns, and an access
  /// is a bus error. What is added reads as zeroes.
  ///
  /// - Throws:
  ///   - `invalidArgument` for a negative length.
  ///   - `file(.resize, errno: EFBIG)` beyond the most pages that the cache was made for.
  ///   - `busy` inside `willWriteBack` and inside a call of the store.
  ///   - What the store threw. Nothing has changed then.
  public func setByteCount(_ count: Int) throws(PageError) {
    guard count >= 0 else { throw .invalidArgument }
    try changeLength { _ in count }
  }

  /// Makes the file at least so long, for bytes that are about to be written. What a mapping left behind the old end
  /// becomes zeroes up to the new one (`pagecache_isize_extended`): the write may yet fail.
  func extend(to count: Int) throws(PageError) {
    if count > byteCount { try changeLength(clearingUpTo: count) { max($0, count) } }
  }

  /// - Throws: `file(.resize, errno: EFBIG)` for a length beyond the most pages that the cache was made for.
  func requireCapacity(for count: Int) throws(PageError) {
    if Page.count(holding: count) > states.capacity { throw .file(.resize, errno: EFBIG) }
  }

  /// Makes whole pages read as zeroes, in the file and in every mapping (`FALLOC_FL_PUNCH_HOLE`). Private copies stay.
  /// Pages beyond the end are left out: there is nothing.
  ///
  /// - Throws: what the store threw, or one of these.
  ///   - `invalidArgument` for a range that begins below zero.
  ///   - `busy` inside `willWriteBack`.
  public func punchHole(_ pages: Range<Int>) throws(PageError) {
    guard pages.lowerBound >= 0 else { throw .invalidArgument }
    try changingContents { kept throws(PageError) in
      // The end as it is under the lock: another thread may have moved it.
      let pages = pages.clamped(to: 0..<pageCount)
      if pages.isEmpty { return }
      try callingStore { () throws(PageError) in try store.punchHole(pages) }
      YieldPoint.holeBetweenStoreAndDrop.reach()
      forget(pages, keepingIn: &kept)
    }
  }

  /// Forgets every page, those that are dirty too, and asks the store for its length again: another program has changed
  /// the file (`invalidate_inode_pages2`).
  ///
  /// When the call returns, no look-up finds what was read or written before. A pinned page lives on without the cache
  /// until it is released. Private copies stay.
  ///
  /// - Throws:
  ///   - `file` if the store cannot learn its length, which stays what it was. The pages are gone by then.
  ///   - `file(.resize, errno: EFBIG)` for a length beyond the most pages that the cache was made for. The pages are
  ///     gone by then.
  ///   - `busy` inside `willWriteBack` and inside a call of the store.
  /// - Complexity: O(pages in memory), and one grace period.
  public func invalidate() throws(PageError) {
    try changingContents { kept throws(PageError) in
      var failure: PageError?
      let after = callingStore {
        do throws(PageError) { try store.refreshByteCount() } catch { failure = error }
        return store.byteCount
      }
      let isTooLong = Page.count(holding: after) > states.capacity
      reader.byteCount.store(isTooLong ? 0 : after, ordering: .sequentiallyConsistent)
      YieldPoint.holeBetweenStoreAndDrop.reach()
      forget(0..<states.capacity, keepingIn: &kept)
      unsynced.withLock { $0.removeAll() }
      if isTooLong { throw .file(.resize, errno: EFBIG) }
      if let failure { throw failure }
    }
  }

  /// Steps 3 to 6 of a hole or an invalidation: the next access to one of the pages asks the store.
  private func forget(_ pages: Range<Int>, keepingIn kept: inout [any BackingUser]) {
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

  private func changeLength(clearingUpTo offset: Int? = nil, _ wanted: (Int) -> Int) throws(PageError) {
    var tail: PFN?
    // The flush runs a user's code, so after the locks are given up. The reference keeps the frame until then.
    defer {
      if let tail {
        flushDataCache(of: tail)
        memory.put(memory.frames.frame(tail), Frame.oneReference)
      }
    }
    try changingContents { kept throws(PageError) in
      let before = byteCount
      let after = wanted(before)
      try requireCapacity(for: after)
      tail = try lastPage(endingAt: min(before, after))
      // Bytes that a mapping left behind the old end are no part of the file.
      if after > before { zero(tail, from: before, upTo: offset) }
      if after == before { return zero(tail, from: after) }
      try callingStore { () throws(PageError) in try store.setByteCount(after) }
      reader.byteCount.store(after, ordering: .sequentiallyConsistent)
      guard after < before else { return }
      let end = Page.count(holding: after)
      _ = drop(end..<states.capacity)
      YieldPoint.truncationBetweenDropAndUnmap.reach()
      moves.advance()
      _ = spaces.forEach(keepingIn: &kept) { user in
        user.unmapAll(from: end, of: self)
        return true
      }
      YieldPoint.truncationBetweenUnmapAndGrace.reach()
      RCU.synchronize()
      zero(tail, from: after)
    }
  }

  /// Runs `body` while no page is read, and none is written.
  private func changingContents(
    _ body: (inout [any BackingUser]) throws(PageError) -> Void
  ) throws(PageError) {
    try requireNoStoreCall()
    var kept: [any BackingUser] = []
    defer { withExtendedLifetime(kept) {} }
    let done: Void? = try writeBackLock.holding { () throws(PageError) in
      try reader.contentLock.writing { () throws(PageError) in try body(&kept) }
    }
    if done == nil { throw .busy }
  }

  /// Step 3: takes the pages of a range out of the cache. Returns those that were there.
  private func drop(_ pages: Range<Int>) -> [Int] {
    residents.pages(in: pages).filter { drop($0.page, at: $0.place) }.map(\.page)
  }

  /// Takes a page out of the cache. Its frame lives as long as entries and pins hold it.
  ///
  /// It leaves the list of a failed sync as well, under that list's lock as in `makeEmpty`. What is read in its place
  /// has nothing that a failed sync could have lost.
  func drop(_ page: Int, at place: ResidentPages.Place) -> Bool {
    var dropped: PageState?
    let isDropped = unsynced.withLock { unsynced in
      let isDropped = residents.release(place, of: page) {
        dropped = states.update(page) { $0.pfn == nil ? nil : .empty(evictedBy: 0) }
        return dropped != nil
      }
      if isDropped { unsynced.remove(page) }
      return isDropped
    }
    if let pfn = dropped?.pfn { memory.putAfterGracePeriod(pfn) }
    return isDropped
  }

  /// The frame that a file of `count` bytes ends in the middle of, with a reference, if it is in memory.
  private func lastPage(endingAt count: Int) throws(PageError) -> PFN? {
    count % Page.size == 0 ? nil : try cachedFrame(of: count / Page.size)?.pfn
  }

  /// Clears the page that a file of `byteCount` bytes ends in, from there on, or up to `offset`.
  private func zero(_ tail: PFN?, from byteCount: Int, upTo offset: Int? = nil) {
    guard let tail else { return }
    let within = byteCount % Page.size
    let count = min(Page.size - within, max((offset ?? Int.max) - byteCount, 0))
    memory.frames.bytes(of: tail).fill(0, fromByteOffset: within, count: count)
  }
}
