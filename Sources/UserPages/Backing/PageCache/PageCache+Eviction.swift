import Synchronization

/// Taking frames back: (e1) to (e5) of the protocol, in the order of a clock (second chance).
extension PageCache {
  /// Evicts up to `count` pages that are neither pinned nor got, the least recently used first as far as the cache can
  /// tell. Dirty ones are written first. Returns how many went.
  @discardableResult
  public func evict(_ count: Int) -> Int { count > 0 ? evict(atLeast: count, atMost: count) : 0 }

  /// Evicts at least `wanted` pages if there are so many that can go, and up to `most` where they go together.
  func evict(atLeast wanted: Int, atMost most: Int) -> Int {
    var kept: [any BackingUser] = []
    defer { withExtendedLifetime(kept) {} }
    // A first look takes the second chance away, a second one evicts. From the third on an access is no excuse.
    let count = max(residents.count, 1)
    return evict(withinLooks: 3 * count, sparingAccessedUntil: count, atLeast: wanted, atMost: most, of: .any, &kept)
  }

  /// The same within `looks` looks, which spare accessed pages until `last` of them are left.
  private func evict(
    withinLooks looks: Int, sparingAccessedUntil last: Int, atLeast wanted: Int, atMost most: Int, of zone: ReclaimZone,
    _ kept: inout [any BackingUser]
  ) -> Int {
    // Inside `willWriteBack`: an evictor that waits for the write-back lock may hold the eviction lock.
    if writeBackLock.isHeldByCaller || isInsideStoreCall { return 0 }
    return evictionLock.holding {
      var evicted = 0
      var looks = looks
      // What (e4) found held, and what is dirty after its write-back: held, or not to be written. It is no candidate
      // again. Else a small batch could be the same held page every time, and a failing disk would get each page many
      // times.
      var held: Set<Int> = []
      while evicted < wanted, looks > 0 {
        // Twice as many as may go, because some are held. Not more than a batch: `most` may be any number.
        let candidates = residents.next(min(looks, max(2 * min(most - evicted, Self.evictionBatchSize / 2), 4)))
        if candidates.isEmpty { break }
        let isLast = looks <= last
        looks -= candidates.count
        evicted += evictBatch(
          candidates.filter { zone == .any || !isMovable($0.page) }, atLeast: wanted - evicted,
          atMost: most - evicted, sparingAccessed: !isLast, &held, &kept)
      }
      return evicted
    } ?? 0
  }

  private func isMovable(_ page: Int) -> Bool { states[page].pfn.map { memory.frames.isMovable($0) } ?? false }

  private struct Candidate {
    let place: ResidentPages.Place
    let page: Int
    let pfn: PFN
    /// The state while it is being evicted.
    let state: PageState
  }

  /// Evicts a batch of the pages that the hand has passed.
  private func evictBatch(
    _ looked: [(place: ResidentPages.Place, page: Int)], atLeast wanted: Int, atMost most: Int,
    sparingAccessed: Bool, _ held: inout Set<Int>, _ kept: inout [any BackingUser]
  ) -> Int {
    var idle = looked.sorted { $0.page < $1.page }
    // Pins are a hint here. The look that counts is (e4).
    idle.removeAll { item in
      held.contains(item.page) || states[item.page].pfn.map { memory.frames.frame($0).pins > 0 } ?? true
    }
    if sparingAccessed { idle = withoutAccessed(idle, &kept) }
    var batch = claimClean(idle, atMost: most)
    if batch.count < wanted, batch.count < idle.count {
      // Too few are clean. Dirty pages are written here. If another thread writes a page, this waits for its lock. All
      // then share the grace period of (e3).
      let claimed = Set(batch.map(\.page))
      let dirty = idle.filter { !claimed.contains($0.page) }.prefix(most - batch.count)
      // An entry that went leaves its reference to be put. Write-back takes it for a holder's, and the page would be
      // dirty again at once, however often it is tried.
      if dirty.contains(where: { states[$0.page].pfn.map { hasOtherReferences(memory.frames.frame($0)) } ?? false }) {
        memory.deferred.reclaim()
      }
      writeBackLock.holding { held in writeBack(dirty.map(\.page), keepingIn: &kept, held) }
      let written = claimClean(Array(dirty), atMost: dirty.count)
      held.formUnion(Set(dirty.map(\.page)).subtracting(written.map(\.page)))
      batch = (batch + written).sorted { $0.page < $1.page }
    }
    return batch.isEmpty ? 0 : takeAway(batch, &held, &kept)
  }

  /// (e1): those of the pages that are clean are being evicted from here on.
  private func claimClean(_ idle: [(place: ResidentPages.Place, page: Int)], atMost most: Int) -> [Candidate] {
    var batch: [Candidate] = []
    for (place, page) in idle where batch.count < most {
      guard let state = states.claimForEviction(page), let pfn = state.pfn else { continue }
      batch.append(Candidate(place: place, page: page, pfn: pfn, state: state))
    }
    return batch
  }

  /// The pages without those that were used since the last look, which lose the sign of it.
  private func withoutAccessed(
    _ looked: [(place: ResidentPages.Place, page: Int)], _ kept: inout [any BackingUser]
  ) -> [(place: ResidentPages.Place, page: Int)] {
    var accessed: Set<Int> = []
    for (_, page) in looked {
      let before = states.update(page) { $0.isReferenced ? $0.without(PageState.referencedMark) : nil }
      if before != nil { accessed.insert(page) }
    }
    let pages = looked.map(\.page)
    _ = spaces.forEach(keepingIn: &kept) { user in
      accessed.formUnion(user.takeAccessed(among: pages, of: self))
      return true
    }
    return looked.filter { !accessed.contains($0.page) }
  }

  /// (e2) to (e5).
  private func takeAway(_ batch: [Candidate], _ held: inout Set<Int>, _ kept: inout [any BackingUser]) -> Int {
    let isIdle = isIdleWithoutEntries(batch.map(\.page), batch.map(\.pfn), sparingLocked: true, &kept)
    let number = evictions.wrappingAdd(1, ordering: .relaxed).newValue
    var evicted = 0
    for (candidate, isIdle) in zip(batch, isIdle) {
      if isIdle, makeEmpty(candidate, number) {
        memory.put(memory.frames.frame(candidate.pfn), Frame.oneReference)
        evicted += 1
      } else {
        // Held, rescued, truncated, or referenced by a `read` since.
        rescue(candidate.page, from: candidate.pfn)
        if !isIdle { held.insert(candidate.page) }
      }
    }
    YieldPoint.evictionBetweenEmptyAndEnd.reach()
    evictedCount.wrappingAdd(evicted, ordering: .relaxed)
    return evicted
  }

  /// Makes a page empty, unless it was rescued or left its place. Returns whether it is.
  ///
  /// A failed sync has only those pages written again that are still here, so the page leaves their list. It leaves
  /// under the list's lock, and not later. Another thread may read the page in, store to it and write it back at once.
  /// Then it is in the list for good reason.
  private func makeEmpty(_ candidate: Candidate, _ number: Int) -> Bool {
    unsynced.withLock { unsynced in
      let isEmpty = residents.release(candidate.place, of: candidate.page) {
        states.replace(candidate.state, with: .empty(evictedBy: UInt64(number)), at: candidate.page)
      }
      if isEmpty { unsynced.remove(candidate.page) }
      return isEmpty
    }
  }

  /// Takes a page back from the evictor, if it is there still.
  func rescue(_ page: Int, from pfn: PFN) {
    states.update(page) { $0.kind == .evicting && $0.pfn == pfn ? $0.rescued : nil }
  }

  /// (e2) to (e4): empties the entries of pages that are being evicted, and says of each whether nothing but the cache
  /// holds its frame.
  ///
  /// - Parameters:
  ///   - pages: in order, each once.
  ///   - pfns: their frames.
  ///   - sparingLocked: whether entries of locked mappings stay, and with them the page.
  ///   - kept: gets the spaces that were asked.
  func isIdleWithoutEntries(
    _ pages: [Int], _ pfns: [PFN], sparingLocked: Bool, _ kept: inout [any BackingUser]
  ) -> [Bool] {
    YieldPoint.evictionBetweenClaimAndUnmap.reach()
    let areEmptied = spaces.forEach(keepingIn: &kept) {
      $0.unmap(pages: pages, of: self, sparingLocked: sparingLocked)
    }
    YieldPoint.evictionBetweenUnmapAndGrace.reach()
    memory.waitForReadersOfOldEntries()
    YieldPoint.evictionBetweenGraceAndLook.reach()
    // ORDERING [slot-then-leave], [change-then-count]: the entries are gone, a grace period has passed, the holders are
    // looked at now.
    let slots = PinSlotSnapshot(of: memory.frames)
    return pfns.map { pfn in
      let frame = memory.frames.frame(pfn)
      return areEmptied && frame.references == 1 && !slots.holds(frame)
    }
  }
}

/// What the machine asks of the cache when memory is short.
extension PageCache: ReclaimableCache {
  func shrink(
    looking count: Int, atMost most: Int, of zone: ReclaimZone, sparingAccessed: Bool,
    keepingIn kept: inout [AnyObject]
  ) -> Int {
    var users: [any BackingUser] = []
    defer { kept += users.map { $0 as AnyObject } }
    return evict(
      withinLooks: count, sparingAccessedUntil: sparingAccessed ? 0 : count, atLeast: most, atMost: most, of: zone,
      &users)
  }
}
