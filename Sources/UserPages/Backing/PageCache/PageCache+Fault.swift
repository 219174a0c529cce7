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
      case .retry: return .retry
      }
    } catch {
      return error == .outOfMemory ? .outOfMemory : .busError
    }
  }

  /// Marks the page dirty: (f2) of the protocol. See `Backing.willStore`.
  public func willStore(page: Int) -> StoreAnswer {
    guard page >= 0, page < pageCount else { return .busError }
    if let hook = hooks.willStore {
      do throws(PageError) { try hook(page) } catch { return error == .outOfMemory ? .outOfMemory : .busError }
    }
    if isStable { waitForWriteBack(of: page) }
    return markDirty(page) ? .allow : .retry
  }

  /// Marks a page dirty, and rescues it from the evictor. Returns false if it is not in the cache, or not in the frame `pfn` if one
  /// is named.
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
  /// - Throws: `busError` for a page beyond the end; `outOfMemory` where no frame can be freed; `busy` inside a call of the store, for a
  ///   page that is not there; what the store threw.
  func frame(of page: Int) throws(PageError) -> PFN {
    while true {
      if let pfn = try cachedFrame(of: page) { return pfn }
      try requireNoStoreCall()
      // A truncation holds the content lock for writing over a grace period.
      RCU.requireNoSection()
      if states[page] == .reading {
        waitForRead(of: page)
      } else if let pfn = try readIn(page) {
        return pfn
      }
    }
  }

  /// The frame of a page that is in the cache, with a reference for the caller.
  ///
  /// ORDERING [deferred-free]: (l1), (l2): inside one section. The cache's reference falls in a batch whose grace period waits for
  /// this section, so a frame that is found here can be retained.
  func cachedFrame(of page: Int) throws(PageError) -> PFN? {
    try RCU.read { () throws(PageError) -> PFN? in
      while true {
        let state = states[page]
        guard let pfn = state.pfn else { return nil }
        if state.kind == .evicting {
          guard states.replace(state, with: state.rescued, at: page) else { continue }
        }
        YieldPoint.cacheBetweenLookAndReference.reach()
        let frame = memory.frames.frame(pfn)
        guard frame.retain(Frame.oneReference) else {
          memory.put(frame, Frame.oneReference)
          throw .outOfMemory
        }
        return pfn
      }
    }
  }

  private func waitForRead(of page: Int) {
    changes.locked { while states[page] == .reading { changes.wait() } }
  }

  /// Waits until a page is not being written. The thread that writes does not wait for itself: a hook may store.
  func waitForWriteBack(of page: Int) {
    guard states[page].isUnderWriteBack, !writeBackLock.isHeldByCaller else { return }
    changes.locked { while states[page].isUnderWriteBack { changes.wait() } }
  }

  /// A page that this thread reads: its place and its frame.
  private struct Incoming {
    let page: Int
    let place: ResidentPages.Place
    let pfn: PFN
  }

  /// Reads a page that is empty, and some behind it if misses come in order. Returns its frame with a reference for the caller, or
  /// nil if another thread was faster.
  private func readIn(_ page: Int) throws(PageError) -> PFN? {
    let place = try reserve()
    let pfn: PFN
    do throws(PageError) { pfn = try allocateFrame() } catch {
      residents.release(place)
      throw error
    }
    let incoming = Incoming(page: page, place: place, pfn: pfn)
    let window = readAhead.withLock { $0.window(for: page) }
    // A truncation waits for this lock and holds others that reclaim needs.
    return try ReclaimScope.withoutReclaim { () throws(PageError) in try readIn(incoming, window) }
  }

  private func readIn(_ incoming: Incoming, _ window: Int) throws(PageError) -> PFN? {
    let (page, place, pfn) = (incoming.page, incoming.place, incoming.pfn)
    return try contentLock.reading { () throws(PageError) -> PFN? in
      let isInside = page < pageCount
      guard isInside, claim(incoming) else {
        residents.release(place)
        memory.discardFrame(pfn)
        if isInside { return nil }
        throw .busError
      }
      var batch = [incoming]
      while batch.count < window, let more = claimAhead(page + batch.count) { batch.append(more) }
      readsUnderWay.wrappingAdd(1, ordering: .sequentiallyConsistent)
      defer {
        readsUnderWay.wrappingSubtract(1, ordering: .sequentiallyConsistent)
        changes.locked { changes.wakeAll() }
      }
      do throws(PageError) {
        try read(batch[...])
      } catch {
        for page in batch.dropFirst() { giveUp(page) }
        // An error in what was read ahead is no error of this page.
        guard batch.count > 1 else {
          giveUp(incoming)
          throw error
        }
        batch = [incoming]
        do throws(PageError) { try read(batch[...]) } catch {
          giveUp(incoming)
          throw error
        }
      }
      YieldPoint.cacheBetweenReadAndInstall.reach()
      for page in batch { install(page, isForCaller: page.page == incoming.page) }
      return pfn
    }
  }

  private func read(_ batch: ArraySlice<Incoming>) throws(PageError) {
    let frames = batch.map { memory.frames.bytes(of: $0.pfn) }
    try callingStore { () throws(PageError) in
      try store.read(from: batch[batch.startIndex].page, into: LentPages(frames, isWritable: true))
    }
  }

  /// Makes an empty page one that this thread reads.
  private func claim(_ incoming: Incoming) -> Bool {
    let before = states.update(incoming.page) { $0.kind == .empty ? .reading : nil }
    guard let before else { return false }
    if before.wasEvicted { refaultCount.wrappingAdd(1, ordering: .relaxed) }
    residents.set(incoming.place, to: incoming.page)
    return true
  }

  /// The same for a page that no thread asked for yet: only if that costs no wait.
  private func claimAhead(_ page: Int) -> Incoming? {
    guard page < pageCount, states[page].kind == .empty, let place = residents.reserve() else { return nil }
    let pfn: PFN
    do throws(PageError) { pfn = try memory.allocateFrame(.noWait, movable: true) } catch {
      residents.release(place)
      return nil
    }
    let incoming = Incoming(page: page, place: place, pfn: pfn)
    if claim(incoming) { return incoming }
    residents.release(place)
    memory.discardFrame(pfn)
    return nil
  }

  /// Makes a page that was read present.
  ///
  /// ORDERING [lock-then-begin]: only the thread that made it `reading` can change the state, so the frame is installed for certain
  /// when it gets its first reference.
  private func install(_ incoming: Incoming, isForCaller: Bool) {
    let frame = memory.frames.frame(incoming.pfn)
    frame.begin(anonymous: false, mapped: false)
    frame.set(Frame.writtenBackBit)
    // Before another thread can find and evict the page.
    if isForCaller { frame.addReferences(1) }
    states.update(incoming.page) { _ in .present(incoming.pfn) }
  }

  private func giveUp(_ incoming: Incoming) {
    _ = residents.release(incoming.place, of: incoming.page) {
      states.update(incoming.page) { _ in .empty(evictedBy: 0) } != nil
    }
    memory.discardFrame(incoming.pfn)
  }

  /// A place for one more page. Evicts where all are taken.
  private func reserve() throws(PageError) -> ResidentPages.Place {
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

  /// Evicts a batch. What is in other threads' hands for the moment may go a little later, so one failure is not believed.
  private func makeRoom(_ failures: inout Int) throws(PageError) {
    if evict(atLeast: 1, atMost: max(1, min(Self.batchSize / 2, limit / 8))) > 0 { return }
    failures += 1
    if failures == 64 || writeBackLock.isHeldByCaller { throw .outOfMemory }
    changes.locked {
      if readsUnderWay.load(ordering: .sequentiallyConsistent) > 0 { changes.wait() }
    }
    sched_yield()
  }
}
