import Glibc

/// Allocation of frames (`alloc_pages`), and what it does when none is free.
///
///     allocation                        what it waits for
///     1. a free frame                   nothing; wakes the background thread if few are left
///     2. frees what was deferred        a grace period; releases objects if the caller holds no lock
///     3. frees swapped pages            the swap file's writer
///     4. reclaims, if the caller may    the thread that reclaims, locks of caches and spaces, stores, grace periods
///     5. fails with ENOMEM              after eight rounds in a row in which nothing was taken back; after 64 if memory came free
///                                       meanwhile that other threads took, or if another thread releases objects
extension PhysicalMemory {
  /// A frame with unspecified contents and no references.
  ///
  /// - Parameter movable: whether the page can be moved to another frame for a long-term pin (`__GFP_MOVABLE`). If so,
  ///   the frame is a movable one as long as there is one.
  /// - Precondition: not inside a read-side section.
  /// - Throws: `outOfMemory` where none is free, and none comes free by what `mode` allows.
  func allocateFrame(_ mode: AllocationMode, movable: Bool = false) throws(PageError) -> PFN {
    if allocationFailures.isNext() { throw .outOfMemory }
    if let pfn = takeFrame(movable) { return pfn }
    if mode == .noWait { throw .outOfMemory }
    let mode = permitted(mode)
    // The allocation makes a few rounds before it believes that there is none. It makes more if other threads took what
    // came free. On a busy machine one of them may run alone between a round's drain and its look. That thread may
    // touch all free pages and give them up again. It also makes more if another thread is releasing objects at this
    // moment, which may hold memory.
    var round = 0
    var mayWait = true
    let zone: ReclaimZone = movable || !allocator.hasMovableFrames ? .any : .unmovable
    while round < 8 || (round < 64 && mayWait) {
      let freed = deferred.freedCount
      drain(mode)
      YieldPoint.allocationBetweenDrainAndLook.reach()
      if let pfn = takeFrame(movable) { return pfn }
      swap.trim(retrying: true)
      swap.finishWrites()
      if let pfn = takeFrame(movable) { return pfn }
      // As long as something is taken back, memory has not come to its end.
      if mode == .mayReclaim, reclaimForAllocation(of: zone) > 0 { round = 0 } else { round += 1 }
      if let pfn = takeFrame(movable) { return pfn }
      mayWait = deferred.freedCount != freed || (mode == .mayReclaim && deferred.isReleasing)
      sched_yield()
    }
    throw .outOfMemory
  }

  /// As `allocateFrame`, but nil unless the calling thread's cache has a frame and memory is not short. Waits for
  /// nothing, so a read-side section may call it.
  func allocateCachedFrame(movable: Bool) -> PFN? {
    if allocator.isLow || allocationFailures.isAwaited { return nil }
    return allocator.allocateCached(movable: movable)
  }

  /// A free frame, of the reserve too for a thread that reclaims, or nil if there is none.
  private func takeFrame(_ movable: Bool) -> PFN? {
    let pfn = allocator.allocate(movable: movable, fromReserve: ReclaimScope.isReclaiming)
    if allocator.isLow { reclaimer.wake(for: self) }
    return pfn
  }

  /// Gives back a frame that was allocated and never used.
  func discardFrame(_ pfn: PFN) { allocator.free(pfn) }

  /// The first of 512 frames that begin at a multiple of 512, with unspecified contents and no references. The result
  /// is nil if there are none in one piece. Waits for the deferred frees once where that could help.
  ///
  /// 2 MiB are never movable: a long-term pin of a part would have to move all of them, or to break them up. It never
  /// reclaims (`GFP_TRANSHUGE_LIGHT`): reclaim frees single frames, and a caller that gets none goes on with those.
  ///
  /// - Precondition: not inside a read-side section.
  func allocateHugeFrame(_ mode: AllocationMode) -> PFN? {
    if allocationFailures.isNext() { return nil }
    if let pfn = allocator.allocateHuge() { return pfn }
    guard deferred.isAnythingPending else { return nil }
    drain(permitted(mode))
    return allocator.allocateHuge()
  }

  /// What an allocation may do in the thread's scope. Under a lock that reclaim needs, objects are not released either.
  private func permitted(_ mode: AllocationMode) -> AllocationMode {
    mode == .mayReclaim && !ReclaimScope.mayReclaim ? .underLock : mode
  }

  private func drain(_ mode: AllocationMode) {
    if mode == .mayReclaim { deferred.drain() } else { deferred.reclaim() }
  }

  /// Gives back a 2 MiB frame that was allocated and never used.
  func discardHugeFrame(_ first: PFN) { allocator.freeHuge(first) }
}
