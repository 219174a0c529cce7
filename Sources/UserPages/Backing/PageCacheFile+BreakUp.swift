/// 2 MiB of a memory file in one frame become base frames again (`split_huge_page`). Then pages can go to the swap file
/// one by one, and memory that a hole or a cut has emptied comes back.
///
///     break-up, holding the change lock                    faults, `read`, `write`
///     1. looks which places have parts of the frame, and
///        whether other holders have references
///     2. empties the entries of the parts in all spaces    by an old entry: accesses and pins of the same frame
///     3. a grace period                                    stores have landed, pins are counted or in a slot
///     4. ends the references by one exchange, if they are  a thread that has a reference, a slot or a new entry keeps
///        those of the places. Else the frame stays whole    the frame whole. A look-up finds no reference, and waits
///     5. each part gets the reference of its place; parts  a look-up finds a frame of one page
///        without a place are free
///
/// No page changes its frame, so nothing is copied, and nothing is undone: the next access makes the entry again.
///
/// ORDERING [change-then-count]: 2, then the grace period, then the references. A pin by a slot shows there too. As
/// long as the slot has the frame, the deferred frees keep the reference of its entry ([slot-then-leave]). A look-up
/// that has found the state of before 5, and retains the first frame after it, looks at the state again
/// (`retainFolio(of:)`).
///
/// Under the change lock a place loses no part, and a collapse withholds none. A place gets none either, but that 2 MiB
/// may come in whole. Those add their references before the first place shows a part, so 4 fails if 1 saw them come.
/// Private copies are no parts.
///
/// The private memory of a space has a break-up of its own: `BreakUpHugeFrames.swift`.
extension PageCacheFile {
  /// A 2 MiB frame, and what the file has of it.
  struct HugeFrame {
    let first: PFN
    /// The file's pages that are in it, in order.
    let pages: [Int]
    /// The frames of these pages.
    let parts: [PFN]

    /// Whether the file lacks a part: a cut or a hole has taken it, or it lies beyond the end.
    var isCut: Bool { pages.count < Page.pagesPerHuge }
  }

  /// The 2 MiB frames that parts of are at `pages`, each once. Under the change lock that stays true.
  ///
  /// - Parameter pages: in order.
  func hugeFrames(at pages: some Sequence<Int>) -> [HugeFrame] {
    var found: [HugeFrame] = []
    // The first page that no frame found so far has.
    var next = 0
    for page in pages where page >= next && page < index.count {
      guard let huge = RCU.read({ _ in hugeFrame(at: page) }) else { continue }
      found.append(huge)
      next = (huge.pages.last ?? page) + 1
    }
    return found
  }

  /// The first 2 MiB frame of the file that has a part at `page` or behind. A hint without the change lock.
  func nextHugeFrame(from page: Int) -> HugeFrame? {
    var found: HugeFrame?
    index.forEach(in: min(page, index.count)..<index.count) { page in
      found = RCU.read { _ in hugeFrame(at: page) }
      return found == nil
    }
    return found
  }

  /// Inside a section: the frame is the file's still.
  private func hugeFrame(at page: Int) -> HugeFrame? {
    guard let pfn = index[page], memory.frames.frame(pfn).has(Frame.hugeBit) else { return nil }
    let first = pfn.hugeStart
    let start = page - Int(pfn.rawValue - first.rawValue)
    // A collapse puts the last places of the index into one frame too, and they may be fewer.
    let end = min(start + Page.pagesPerHuge, index.count)
    let pages = (start..<end).filter { index[$0] == first + ($0 - start) }
    return HugeFrame(first: first, pages: pages, parts: pages.map { first + ($0 - start) })
  }

  /// Breaks up those of the frames that nothing but the file and entries hold. The others stay whole. Returns how many
  /// base frames are free that were not.
  ///
  /// A file that is mapped by number keeps its frames whole: such a mapping takes a frame without references for a free
  /// one.
  ///
  /// - Parameters:
  ///   - sparingLocked: whether frames stay whole that a locked mapping shows a page of. A cut does not spare them (as
  ///     `unmap_folio`): the next access makes the entry again.
  ///   - kept: gets the spaces that were asked.
  ///   - held: proof of the change lock.
  func breakUp(
    _ frames: [HugeFrame], sparingLocked: Bool, keepingIn kept: inout [any BackingUser],
    _ held: borrowing OwnedLock.Held
  ) -> Int {
    held.check(isOf: changeLock)
    guard !frames.isEmpty, mayMove.withLock({ $0 }) else { return 0 }
    let idle = withoutHeld(frames, sparingLocked: sparingLocked, keepingIn: &kept)
    if idle.isEmpty { return 0 }
    _ = spaces.forEach(keepingIn: &kept) { user in
      for huge in idle { user.unmap(huge.parts, ofPages: huge.pages, of: self, sparingLocked: sparingLocked) }
      return true
    }
    YieldPoint.fileBreakUpBetweenEntriesAndGrace.reach()
    memory.waitForReadersOfOldEntries()
    var freed = 0
    for huge in idle {
      guard let unused = memory.frames.breakUp(huge.first, users: huge.parts) else { continue }
      for pfn in unused { memory.discardFrame(pfn) }
      freed += unused.count
    }
    return freed
  }

  /// The frames without those that are held at this moment: their entries need not go to find that out. A hint.
  private func withoutHeld(
    _ frames: [HugeFrame], sparingLocked: Bool, keepingIn kept: inout [any BackingUser]
  ) -> [HugeFrame] {
    let slots = PinSlotSnapshot(of: memory.frames)
    func isInDoubt(_ huge: HugeFrame) -> Bool {
      memory.frames.frame(huge.first).references > huge.pages.count + memory.frames.mappings(of: huge.first)
    }
    var idle = frames.filter { huge in
      let folio = memory.frames.frame(huge.first)
      return folio.pins == 0 && !slots.holds(folio)
    }
    // A reference that waits in the deferred queue looks like a holder's.
    if idle.contains(where: isInDoubt) { memory.deferred.reclaim() }
    idle.removeAll(where: isInDoubt)
    guard sparingLocked, !idle.isEmpty else { return idle }
    var locked: Set<Int> = []
    _ = spaces.forEach(keepingIn: &kept) { user in
      for huge in idle { locked.formUnion(user.lockedPages(among: huge.pages, showing: huge.parts, of: self)) }
      return true
    }
    return idle.filter { huge in !huge.pages.contains { locked.contains($0) } }
  }

  // MARK: After a cut

  /// Breaks up the 2 MiB frames around `pages` of which the file has lost a part (`truncate_inode_partial_folio`). What
  /// is held is left to reclaim.
  ///
  /// The calling thread holds no lock, and no reference on the pages.
  func breakUpCutFrames(around pages: [Int]) {
    _ = breakUpCutFrames(from: Set(pages.map { $0 - $0 % Page.pagesPerHuge }))
  }

  func breakUpLeftovers() -> Int {
    let starts = leftovers.withLock { starts in
      defer { starts = [] }
      return starts
    }
    return starts.isEmpty ? 0 : breakUpCutFrames(from: starts)
  }

  /// - Parameter starts: the first pages of aligned 2 MiB.
  private func breakUpCutFrames(from starts: Set<Int>) -> Int {
    var freed = 0
    var whole: Set<Int> = []
    changing { kept, held in
      freed = breakUp(cutFrames(in: starts.sorted()), sparingLocked: false, keepingIn: &kept, held)
      whole = starts.filter { !cutFrames(in: [$0]).isEmpty }
    }
    leave(whole)
    return freed
  }

  /// Has reclaim break up what lacks a part. Holding no lock.
  ///
  /// - Parameter starts: the first pages of aligned 2 MiB.
  func leave(_ starts: Set<Int>) {
    guard !starts.isEmpty, mayMove.withLock({ $0 }) else { return }
    leftovers.withLock { $0.formUnion(starts) }
    beReclaimed()
  }

  /// Under the change lock.
  private func cutFrames(in starts: [Int]) -> [HugeFrame] {
    hugeFrames(at: starts.lazy.flatMap { $0..<min($0 + Page.pagesPerHuge, self.index.count) }).filter(\.isCut)
  }
}
