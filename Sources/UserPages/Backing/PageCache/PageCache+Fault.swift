import Glibc
import Synchronization

/// A fault's question: the page comes from the cache, or from the store.
extension PageCache {
  public func fault(page: Int, write: Bool) -> FaultAnswer {
    guard page >= 0, page < pageCount else { return .busError }
    do throws(PageError) {
      let reference = FrameReference(owning: try frame(of: page), in: memory)
      guard write else { return .frame(reference) }
      switch willStore(page: page) {
      case .allow: return .frame(reference)
      case .busError: return .busError
      case .outOfMemory: return .outOfMemory
      case .failed(let error): return .failed(error)
      case .retry: return .retry
      }
    } catch {
      return .failed(error)
    }
  }

  /// Calls the `willStore` hook: (f0) of the protocol. See `Backing.prepareStore`.
  public func prepareStore(page: Int) -> StoreAnswer {
    guard takesStores, page >= 0, page < pageCount else { return .busError }
    do throws(PageError) { try hooks.willStore?(page) } catch { return .failed(error) }
    return .allow
  }

  /// Marks the page dirty: (f2) of the protocol. See `Backing.willStore`.
  public func willStore(page: Int) -> StoreAnswer {
    guard takesStores, page >= 0, page < pageCount else { return .busError }
    if isStable { waitForContents(of: page) }
    return markDirty(page) ? .allow : .retry
  }

  /// Marks a page dirty, and rescues it from the evictor. Returns false if it is not in the cache, or not in the frame
  /// `pfn` if one is named.
  func markDirty(_ page: Int, in pfn: PFN? = nil) -> Bool {
    var isThere = false
    states.update(page) { state in
      isThere = state.pfn != nil && (pfn == nil || state.pfn == pfn)
      guard isThere else { return nil }
      let new = state.rescued.with(PageState.dirtyMark | (pfn == nil ? 0 : PageState.referencedMark))
      return new == state ? nil : new
    }
    return isThere
  }

  /// The frame of a page, with a reference for the caller.
  ///
  /// - Throws: what the store threw, or one of these.
  ///   - `busError` for a page beyond the end.
  ///   - `outOfMemory` if no frame can be freed.
  ///   - `busy` inside a call of the store, for a page that is not there.
  func frame(of page: Int) throws(PageError) -> PFN {
    while true {
      if let found = try cachedFrame(of: page) {
        // A thread that must not wait leaves the next window to a miss.
        if found.isTrigger, !RCU.isReading, !isInsideStoreCall { readAhead(from: page) }
        return found.pfn
      }
      try requireNoStoreCall()
      // A truncation holds the content lock for writing over a grace period.
      RCU.requireNoSection()
      YieldPoint.cacheBetweenMissAndRead.reach()
      switch states[page].kind {
      case .reading: waitForRead(of: page)
      case .empty: if let pfn = try readIn(page) { return pfn }
      // It has come since. To read it would be no miss, and would evict another page where all places are taken.
      case .present, .evicting: continue
      }
    }
  }

  /// A page that is in the cache, and a reference on its frame.
  struct Found {
    let pfn: PFN
    /// Whether the caller is the first to look the page up, and the next window of its stream is to be read.
    let isTrigger: Bool
  }

  /// The frame of a page that is in the cache, with a reference for the caller.
  ///
  /// The look at the marks costs a comparison: a page in steady use has none of them. So a hit writes nothing but its
  /// reference, and takes no lock.
  ///
  /// ORDERING [deferred-free]: (l1), (l2): inside one section. The cache's reference falls in a batch, after a grace
  /// period that waits for this section. So a frame that is found here can be retained.
  func cachedFrame(of page: Int) throws(PageError) -> Found? {
    try RCU.read { () throws(PageError) -> Found? in
      while true {
        let state = states[page]
        guard let pfn = state.pfn else { return nil }
        if state != state.used {
          guard states.replace(state, with: state.used, at: page) else { continue }
        }
        YieldPoint.cacheBetweenLookAndReference.reach()
        try memory.retain(memory.frames.frame(pfn))
        return Found(pfn: pfn, isTrigger: state.isTrigger)
      }
    }
  }

  private func waitForRead(of page: Int) {
    reader.changes.locked { while states[page].kind == .reading { reader.changes.wait() } }
  }

  /// Reads a page that is empty, and some behind it if its reader goes through the file in order. Returns its frame
  /// with a reference for the caller, or nil if another thread was faster.
  private func readIn(_ page: Int) throws(PageError) -> PFN? {
    missCount.wrappingAdd(1, ordering: .relaxed)
    let size = reader.streams.withLock { $0.size(at: page) }
    let place = try reserve(min(size, pageCount - page))
    let pfn: PFN
    do throws(PageError) { pfn = try allocateFrame() } catch {
      residents.release(place)
      throw error
    }
    return try reader.read(PageReader.Incoming(page: page, place: place, pfn: pfn))
  }

  /// Has the next window of a stream read, which has come to the trigger `page`. The caller holds no lock.
  private func readAhead(from page: Int) {
    // Two readers of one stream may overtake each other.
    let isInOrder = !reader.isUnused(page - 1) || !reader.isUnused(page - 2)
    let window = reader.streams.withLock { $0.reached(page, isInOrder: isInOrder) { reader.firstAbsent(from: page) } }
    guard let window else { return }
    makeRoom(for: min(window.pages.count, pageCount - window.pages.lowerBound))
    reader.readLater(window)
  }

  /// Evicts what a window lacks places for, as far as that is easy: a window may be shorter.
  private func makeRoom(for count: Int) {
    let lack = count - residents.free
    if lack > 0 { _ = evict(atLeast: 1, atMost: lack) }
  }

  /// A place for one more page. Evicts where all are taken, for the `count` pages of a window at once.
  private func reserve(_ count: Int) throws(PageError) -> ResidentPages.Place {
    if count > 1 { makeRoom(for: count) }
    var failures = 0
    while true {
      if let place = residents.reserve() { return place }
      try makeRoom(&failures)
    }
  }

  /// A frame for one more page. Evicts where memory has none, although the limit would allow it.
  private func allocateFrame() throws(PageError) -> PFN {
    var failures = 0
    while true {
      do throws(PageError) {
        return try memory.allocateFrame(.mayReclaim, movable: true)
      } catch {
        try makeRoom(&failures)
      }
    }
  }

  /// Evicts a batch. What is in other threads' hands for the moment may go a little later, so one failure is not
  /// believed. A few are if pages could not be written meanwhile.
  private func makeRoom(_ failures: inout Int) throws(PageError) {
    let failedWrites = reader.failedWrites.load(ordering: .relaxed)
    if evict(atLeast: 1, atMost: max(1, min(Self.batchSize / 2, limit / 8))) > 0 { return }
    failures += reader.failedWrites.load(ordering: .relaxed) == failedWrites ? 1 : 16
    if failures >= 64 || writeBackLock.isHeldByCaller { throw .outOfMemory }
    reader.changes.locked {
      if reader.readsUnderWay.load(ordering: .sequentiallyConsistent) > 0 { reader.changes.wait() }
    }
    sched_yield()
  }
}
