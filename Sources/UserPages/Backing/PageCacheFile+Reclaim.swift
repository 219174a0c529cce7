/// Reclaim of memory files: the hand of a clock goes over the pages of a file, and idle ones go out as in a page-out.
///
/// What can be told without a grace period is told first. A mapping locks a page, a pin or a get has it in a slot, or a
/// pin is counted. So a file that is all locked or pinned costs looks alone.
///
/// A page with more references than entries is in doubt. A get or a call under way has it, or unmapped entries have
/// references that wait among the deferred frees. The page-out can tell, and only the turn that takes any page asks it,
/// for a limited number of pages. The next turn goes on from there.
extension PageCacheFile: ReclaimableSpace {
  /// The most pages that are looked at together. They share the walks over mappings, and a grace period.
  private static let window = 32
  /// The most pages in doubt that a turn asks the page-out about.
  private static let doubtLimit = 1024

  /// One turn of the clock's hand.
  private struct ClockTurn {
    let most: Int
    let sparesAccessed: Bool
    /// What was in pin slots when the turn began.
    let holders: PinSlotSnapshot
    var out = 0
    /// Pages in doubt that it may still ask about.
    var doubtsLeft = PageCacheFile.doubtLimit
    /// The page behind the last one that it may ask about.
    var firstUnasked: Int?
    /// The swap file has no room.
    var isFull = false

    var isOver: Bool { isFull || out >= most }
  }

  // No page of a memory file is in a movable frame, so each zone is as good.
  func swapOut(
    atMost most: Int, of zone: ReclaimZone, sparingAccessed: Bool, keepingIn kept: inout [AnyObject]
  ) -> Int {
    guard isEvictable else { return 0 }
    var users: [any BackingUser] = []
    defer { kept += users.map { $0 as AnyObject } }
    var turn = ClockTurn(
      most: most, sparesAccessed: sparingAccessed, holders: PinSlotSnapshot(of: memory.frames))
    let start = clockHand.withLock { $0 }
    for range in [start..<max(index.count, start), 0..<start] where !turn.isOver {
      var next = range.lowerBound
      while !turn.isOver, let end = look(in: next..<range.upperBound, &turn, &users) { next = end }
      clockHand.withLock { $0 = next }
    }
    if !turn.isOver, let page = turn.firstUnasked { clockHand.withLock { $0 = page } }
    if !turn.isOver, !sparingAccessed { takeHugeFrames(&turn, &users) }
    return turn.out
  }

  /// Takes pages of 2 MiB frames out, after all base pages. The page-out breaks the frames up first. To do so costs as
  /// much as to ask about a window of pages in doubt.
  private func takeHugeFrames(_ turn: inout ClockTurn, _ users: inout [any BackingUser]) {
    var next = 0
    while !turn.isOver, turn.doubtsLeft > 0, let huge = nextHugeFrame(from: next) {
      next = (huge.pages.last ?? next) + 1
      let folio = memory.frames.frame(huge.first)
      if folio.pins > 0 || turn.holders.holds(folio) { continue }
      turn.doubtsLeft -= Self.window
      let (out, looked) = swapOut(
        huge.pages.prefix(turn.most - turn.out), sparing: turn.holders, keepingIn: &users)
      turn.out += out
      if looked < huge.pages.count, looked < turn.most { memory.swap.finishWrites() }
      turn.isFull = !memory.swap.hasRoom
    }
  }

  /// Looks at the first pages of a range, and takes idle ones out. Returns where to go on, or nil if there are none.
  ///
  /// Pages in doubt come on top of those that are wanted. Of these the turn may take a few too many.
  private func look(in range: Range<Int>, _ turn: inout ClockTurn, _ users: inout [any BackingUser]) -> Int? {
    let found = cachedPages(in: range, atMost: Self.window)
    guard var next = found.last.map({ $0.page + 1 }) else { return nil }
    let spared = pagesToSpare(among: found, accessed: turn.sparesAccessed, &users)
    // Pages that were spared have lost the sign of it. The hand does not come back to them in this turn.
    let mayGoBack = !turn.sparesAccessed
    var batch: [Int] = []
    var wanted = turn.most - turn.out
    for (page, _) in found where wanted > 0 && !spared.contains(page) {
      switch standing(of: page, turn.holders) {
      case .held: continue
      case .idle: wanted -= 1
      case .inDoubt:
        if turn.sparesAccessed || turn.doubtsLeft == 0 { continue }
        turn.doubtsLeft -= 1
        if turn.doubtsLeft == 0 { turn.firstUnasked = page + 1 }
      }
      batch.append(page)
      if wanted == 0, mayGoBack { next = page + 1 }
    }
    if batch.isEmpty { return next }
    let (out, looked) = swapOut(batch, sparing: turn.holders, keepingIn: &users)
    turn.out += out
    if looked < batch.count {
      // A page that came back while it was being written has its slot until the write is over.
      memory.swap.finishWrites()
      turn.isFull = !memory.swap.hasRoom
      // The rest again. But not if other threads take every slot that comes free.
      if looked > 0, mayGoBack { next = batch[looked] }
    }
    return next
  }

  /// The first pages of a range that have frames of their own. The look at other pages' entries would split 2 MiB.
  private func cachedPages(in range: Range<Int>, atMost most: Int) -> [(page: Int, pfn: PFN)] {
    var found: [(page: Int, pfn: PFN)] = []
    index.forEach(in: range) { page in
      RCU.read { _ in
        if let pfn = index[page], !memory.frames.frame(pfn).has(Frame.hugeBit) { found.append((page, pfn)) }
      }
      return found.count < most
    }
    return found
  }

  /// What can be told of a page's holders without a grace period.
  private enum Standing { case idle, inDoubt, held }

  private func standing(of page: Int, _ holders: PinSlotSnapshot) -> Standing {
    RCU.read { _ in
      guard let pfn = index[page] else { return .held }
      let frame = memory.frames.frame(pfn)
      if frame.pins > 0 || holders.holds(frame) { return .held }
      // One reference is the file's.
      return frame.references > frame.mapCount + 1 ? .inDoubt : .idle
    }
  }

  // MARK: Pages to spare

  /// The pages that locked mappings show. With `accessed`, also those that were used since the last look, which lose
  /// the sign of it.
  private func pagesToSpare(
    among found: [(page: Int, pfn: PFN)], accessed: Bool, _ users: inout [any BackingUser]
  ) -> Set<Int> {
    let (pages, frames) = (found.map(\.page), found.map(\.pfn))
    var spared: Set<Int> = []
    _ = spaces.forEach(keepingIn: &users) { user in
      spared.formUnion(user.lockedPages(among: pages, showing: frames, of: self))
      if accessed { spared.formUnion(user.takeAccessed(among: pages, of: self)) }
      return true
    }
    if accessed { for page in pages where takeUse(of: page) { spared.insert(page) } }
    return spared
  }

  /// Notes that `read` or `write` has used a page: no entry shows it (`folio_mark_accessed`).
  ///
  /// - Parameter pfn: its frame, on which the caller has a reference.
  func noteUse(of pfn: PFN) {
    let frame = memory.frames.frame(pfn)
    if !frame.has(Frame.hugeBit) { frame.set(Frame.referencedBit) }
  }

  private func takeUse(of page: Int) -> Bool {
    RCU.read { _ in
      guard let pfn = index[page], memory.frames.frame(pfn).has(Frame.referencedBit) else { return false }
      memory.frames.frame(pfn).clear(Frame.referencedBit)
      return true
    }
  }
}
