/// From 512 entries of a page each to one of 2 MiB (`madvise_collapse`, `collapse_huge_page`): the contents are copied into a
/// 2 MiB frame.
///
///     collapse, holding the mmap lock for writing          walkers inside a section
///     1. the mapping is sealed                             faults do not install any more ([lock-then-validate])
///     2. the link to the node becomes a migration entry    those that come now find no node, fault, and wait for the lock
///     3. a grace period                                    those that were in the node are over: stores have landed, pins
///                                                          are counted or in a slot
///     4. counts and slots are looked at: somebody holds
///        a page, and all stays as it was
///     5. the pages are copied, the huge entry is stored    these find the copy
extension AddressSpace {
  /// Collapses the aligned 2 MiB that lie wholly in a range, as far as it can be done.
  ///
  /// What was not touched yet becomes zeroes, and pages that a fork left shared become this space's own.
  ///
  /// - Throws: what stood in the way last, or first where it lies in the mapping: `invalidArgument` for a mapping that is not
  ///   private anonymous memory, or holds no aligned 2 MiB, and where nothing was ever touched; `tryAgain` where a page is
  ///   held by a get or a pin; `outOfMemory` where there are no 2 MiB in one piece.
  func collapse(_ part: Range<VirtualAddress>) throws(PageError) {
    let first = part.lowerBound.hugeCeiling
    let end = part.upperBound.hugeStart
    if first > end { throw .invalidArgument }
    var failure: PageError?
    var address = first
    // References that only wait for a grace period would look like somebody's.
    memory.deferred.reclaim()
    while address < end {
      do throws(PageError) { try collapseOne(address) } catch {
        failure = error
        if error == .outOfMemory { break }
      }
      address = address + Page.hugeSize
    }
    if let failure { throw failure }
  }

  private func collapseOne(_ start: VirtualAddress) throws(PageError) {
    let top = RCU.read { table.hugePTEP(for: start)?.waitUntilUnlocked() ?? .empty }
    if top.mapsHuge { return }
    // Nothing to collapse: no reason to look for memory.
    if top.isEmpty { throw .invalidArgument }
    try bringIn(start.hugeRange)
    guard let frame = memory.allocateHugeFrame(underLock: false) else { throw .outOfMemory }
    let result = mmapLock.writing { collapseLocked(start, into: frame) }
    memory.deferred.drainIfFull()
    switch result {
    case .success(true): break
    case .success(false): memory.discardHugeFrame(frame)
    case .failure(let error):
      memory.discardHugeFrame(frame)
      throw error
    }
  }

  /// Faults in what is swapped out: a collapse copies what is there.
  private func bringIn(_ range: Range<VirtualAddress>) throws(PageError) {
    let swapped = mmapLock.reading { () -> [VirtualAddress] in
      var swapped: [VirtualAddress] = []
      table.forEachEntry(in: range) { _ in
        .next
      } _: { address, ptep in
        if ptep.load().isSwapped { swapped.append(address) }
      }
      return swapped
    }
    for address in swapped { try fault(at: address, .forcedRead) }
  }

  /// Returns whether the frame is used now: not where 2 MiB are mapped already.
  private func collapseLocked(_ start: VirtualAddress, into first: PFN) -> Result<Bool, PageError> {
    guard let mapping = mappings.first(endingAbove: start), mapping.value.covers(start.hugeRange),
      mapping.value.attributes.isAnonymous
    else { return .failure(.invalidArgument) }
    // ORDERING [lock-then-validate]: sealed before any entry is looked at.
    mapping.value.setState(.sealed)
    defer { mapping.value.setState(.live) }
    guard let ptep = table.hugePTEP(for: start) else { return .failure(.invalidArgument) }
    let link = ptep.waitUntilUnlocked()
    if link.mapsHuge { return .success(false) }
    guard let node = TableNode(link: link) else { return .failure(.invalidArgument) }
    let away = PTE(.migration, payload: 0)
    ptep.store(away)
    YieldPoint.collapseBetweenUnlinkAndLook.reach()
    // Inside the lock, as in a fork: nobody waits for the lock inside a section.
    RCU.synchronize()
    // ORDERING [change-then-count], [slot-then-leave]: the link was taken away, a grace period has passed, the holders are
    // looked at now.
    let slots = PinSlotSnapshot()
    for index in 0..<TableNode.entryCount where !isMovable(node[index].waitUntilUnlocked(), slots) {
      ptep.store(link)
      return .failure(.tryAgain)
    }
    for index in 0..<TableNode.entryCount {
      let pte = node[index].load()
      let bytes = frames.bytes(of: first + index)
      if pte.isMapped, !isZeroPage(pte) { bytes.copy(page: frames.bytes(of: pte.pfn)) } else { bytes.fill(0) }
    }
    frames.beginHuge(first, anonymous: true, mapped: true)
    var huge = PTE(mapping: first).with(PTELayout.anonymous, PTELayout.dirty, PTELayout.huge)
    let protection = mapping.value.attributes.protection
    if protection.contains(.write) { huge.set(PTELayout.writable) }
    ptep.store(protection == .none ? huge.withoutAccess : huge)
    retire(node, from: start, in: mapping)
    return .success(true)
  }

  /// Whether an entry that nobody reaches any more may be replaced by a copy.
  private func isMovable(_ pte: PTE, _ slots: PinSlotSnapshot) -> Bool {
    if pte.isEmpty { return true }
    guard pte.isMapped else { return false }
    if isZeroPage(pte) { return true }
    let folio = frames.frame(pte.folioPFN)
    // The pins by themselves: references and mappings are not looked at in one moment, and another space that forks in between
    // adds both for its parts of 2 MiB, so that one mapping more would make up for a pin.
    if folio.pins > 0 || slots.holds(folio) { return false }
    switch folio.references - frames.mappings(of: pte.folioPFN) {
    case 0: return true
    // Another's entry leads to the swap slot of the page, which keeps its frame for it.
    case 1: return memory.swap.caches(pte.folioPFN)
    default: return false
    }
  }

  /// Lets go of a node that no walker reaches, and of what its entries hold.
  private func retire(_ node: TableNode, from start: VirtualAddress, in mapping: VMATree.Mapping) {
    var teardown = Teardown(memory.deferred)
    for index in 0..<TableNode.entryCount {
      let pte = node[index].clear()
      if pte.isMapped { release(pte, at: start + index * Page.size, in: mapping, &teardown) }
    }
    teardown.deferFree(.tablePage(node.page))
    // A grace period has passed since the link was taken away.
    teardown.finishWithoutGracePeriod()
  }
}

extension VMA {
  /// Whether there can be 2 MiB entries by collapse: private memory, with room for one.
  var mayCollapse: Bool {
    attributes.isAnonymous && range.lowerBound.hugeCeiling + Page.hugeSize <= range.upperBound
  }
}
