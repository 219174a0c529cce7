/// Taking frames back from caches and programs (`shrink_node`).
///
/// Second chance: a page that was accessed since the last look loses the sign of it and stays. So a first turn of all
/// clocks takes the pages that no thread used since the last reclaim. A second turn takes those that no thread used in
/// between. A third one takes any. Caches come first, all of them: their pages can be read again. Then come the frames
/// that partial unmaps left in 2 MiB: they hold nothing. Frames that a pin or a get holds stay in every turn.
extension PhysicalMemory {
  /// Takes back `pages` frames, those of page caches first, where dirty pages are written. Then it takes those of
  /// anonymous memory and memory files, as far as the swap file has room. Returns how many are free now that were not.
  /// They are fewer than `pages` if no more could be taken.
  ///
  /// It runs hooks and stores of caches on this thread. Inside one of those, or in a call that such a hook makes, it
  /// returns 0.
  ///
  /// - Precondition: not inside a read-side section, and holding no lock that a hook or a store needs.
  @discardableResult
  public func reclaim(pages: Int) -> Int {
    precondition(!RCU.isReading, "reclaim inside a read-side section would wait for itself")
    var freed = 0
    while freed < pages {
      let more = reclaim(atMost: min(pages - freed, 256), swapping: true)
      if more == 0 { break }
      freed += more
    }
    return freed
  }

  /// What an allocation takes back at once (direct reclaim). If another thread has reclaimed while this one waited, it
  /// takes nothing, and returns what came of that. More than zero: the caller tries again.
  func reclaimForAllocation(of zone: ReclaimZone = .any) -> Int {
    reclaim(
      atMost: reclaimBatch, of: zone, swapping: reclaimer.policy.swapsForAllocations,
      unlessDoneSince: reclaimer.passes.load(ordering: .sequentiallyConsistent))
  }

  /// Returns when no reclaim of another thread is left that was under way. What it kept alive has ended by then, if the
  /// caller gave it up before. A hook of a cache, or a store, does not wait.
  package func waitForReclaims() { reclaimer.underWay.waitForOthers() }

  /// The background thread's work: until the high watermark is reached. Returns false if there is nothing to take back.
  func reclaimInBackground() -> Bool {
    let watermarks = reclaimer.watermarks
    if allocator.gatheredCount() >= watermarks.low { return true }
    var failures = 0
    while failures < 8 {
      if deferred.isAnythingPending { deferred.drain() }
      if allocator.gatheredCount() >= watermarks.high { return true }
      let freed = reclaim(atMost: reclaimBatch, swapping: reclaimer.policy.swapsForAllocations)
      failures = freed > 0 ? 0 : failures + 1
    }
    return false
  }

  /// Frames that are taken back together: they share a grace period or two.
  private var reclaimBatch: Int { min(32, max(ramPages / 16, 1)) }

  private func reclaim(
    atMost most: Int, of zone: ReclaimZone = .any, swapping: Bool, unlessDoneSince before: Int? = nil
  ) -> Int {
    guard ReclaimScope.mayReclaim else { return 0 }
    return reclaimer.underWay.run {
      reclaimInTurn(atMost: most, of: zone, swapping: swapping, unlessDoneSince: before)
    }
  }

  private func reclaimInTurn(
    atMost most: Int, of zone: ReclaimZone, swapping: Bool, unlessDoneSince before: Int?
  ) -> Int {
    // Released when no lock is held: a cache or a space may end with that.
    var kept: [AnyObject] = []
    defer { withExtendedLifetime(kept) {} }
    return reclaimer.lock.holding { held in
      // What another thread took back may all be movable, and then does not count as progress.
      if zone == .any, let before, reclaimer.passes.load(ordering: .sequentiallyConsistent) != before {
        return reclaimer.lastFreed.load(ordering: .relaxed)
      }
      let freed = ReclaimScope.reclaiming(held) {
        takeBack(most, of: zone, swapping: swapping, &kept)
      }
      reclaimer.lastFreed.store(freed, ordering: .relaxed)
      reclaimer.passes.wrappingAdd(1, ordering: .sequentiallyConsistent)
      if freed > 0 { reclaimer.noteProgress() }
      return freed
    } ?? 0
  }

  /// Whether a turn of the clocks spares what was accessed, for three turns in a row.
  private static let turns = [true, true, false]

  private func takeBack(_ most: Int, of zone: ReclaimZone, swapping: Bool, _ kept: inout [AnyObject]) -> Int {
    var freed = 0
    let caches = reclaimer.caches(keepingIn: &kept)
    for isSparing in Self.turns where freed < most {
      freed += shrink(caches, atMost: most - freed, of: zone, sparingAccessed: isSparing, &kept)
    }
    if freed < most {
      for space in reclaimer.spaces(keepingIn: &kept) where freed < most { freed += space.breakUpLeftovers() }
    }
    guard freed < most, swapping, swap.usedCount > 0 || swap.hasRoom else { return freed }
    let before = swap.freedCount
    func missing() -> Int { most - freed - (swap.freedCount - before) }
    // Pages that are in the file as well, and frames that could not be written the last time.
    swap.trim(retrying: true)
    swap.finishWrites()
    for isSparing in Self.turns {
      for space in reclaimer.spaces(keepingIn: &kept) where missing() > 0 {
        // Not again for what comes back meanwhile: programs that use their pages all the time would keep the thread
        // here for ever.
        _ = space.swapOut(atMost: missing(), of: zone, sparingAccessed: isSparing, keepingIn: &kept)
        swap.finishWrites()
      }
    }
    return freed + swap.freedCount - before
  }

  /// Turns the clocks of all caches once, a stretch of each after the other: each loses pages by its size.
  private func shrink(
    _ caches: [any ReclaimableCache], atMost most: Int, of zone: ReclaimZone, sparingAccessed: Bool,
    _ kept: inout [AnyObject]
  ) -> Int {
    var freed = 0
    var turns = caches.map { (cache: $0, looks: $0.residentPages, stretch: max($0.residentPages / 8, 16)) }
    while freed < most, turns.contains(where: { $0.looks > 0 }) {
      for index in turns.indices where turns[index].looks > 0 && freed < most {
        let stretch = min(turns[index].stretch, turns[index].looks)
        turns[index].looks -= stretch
        freed += turns[index].cache.shrink(
          looking: stretch, atMost: most - freed, of: zone, sparingAccessed: sparingAccessed, keepingIn: &kept)
      }
    }
    return freed
  }
}
