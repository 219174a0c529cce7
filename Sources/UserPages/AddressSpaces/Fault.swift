/// What a fault is for.
enum FaultAccess {
  case read
  case write
  /// A write by a caller that may write where the program may not (FOLL_FORCE). It breaks copy-on-write and grants no permission.
  case forcedWrite
  /// A read that may go where the program may not even read (FOLL_FORCE).
  case forcedRead
  /// Makes an anonymous page exclusive, or gives a private mapping its own copy, without making it writable
  /// (FAULT_FLAG_UNSHARE).
  case unshare

  var isWrite: Bool { self == .write || self == .forcedWrite }
  var isForced: Bool { self == .forcedWrite || self == .forcedRead }
}

/// What a fault has gathered so far, outside of read-side sections, where it may wait.
struct FaultResources: ~Copyable {
  var nodes: SpareNodes
  /// A frame with unspecified contents, nobody's yet.
  var frame: PFN?
  /// The first of 2 MiB of frames, zeroed, nobody's yet.
  var hugeFrame: PFN?
  /// There are no 2 MiB to be had for this fault: it is for one page.
  var hugeRefused = false
  var answer: BackingAnswer?
  /// The copy of a backing's page that the fault has installed and the backing has not been told of.
  var copied: CopiedPage?
  /// What was read from the swap file.
  var swapped: SwappedPage?
}

/// What a backing is asked: for a page, or for the 2 MiB that begin with it.
struct FaultQuestion: Equatable {
  let page: Int
  let write: Bool
  let isHuge: Bool
}

/// How one attempt at a fault ended.
enum FaultOutcome {
  case done
  /// The entry changed, or another thread holds it: try again.
  case again
  /// An operation has the mapping to itself: wait for the mmap lock, then try again.
  case sealed
  case needsNode
  case needsFrame
  case needsHugeFrame
  case needsAnswer(any Backing, FaultQuestion)
  /// The page must be read; the slot is held.
  case needsSwapped(SwapSlot)
  /// References that are only waiting for a grace period stand in the way of reusing a frame.
  case needsDrain
  case failed(PageError)
}

/// Resolving faults (`handle_mm_fault`).
///
/// A fault is a loop of attempts. An attempt runs inside one read-side section, looks everything up anew, and either
/// finishes or says what it lacks; that is then got outside the section, where waiting and allocating are allowed. So no
/// lock is held over an allocation, the zeroing of a page or a backing's work, and two faults on different pages share no
/// written line.
extension AddressSpace {
  /// Resolves a fault at `address`.
  ///
  /// - Throws: `segmentationViolation`, `busError`, `outOfMemory`.
  @inline(never)
  func fault(at address: VirtualAddress, _ access: FaultAccess) throws(PageError) {
    guard address < VirtualAddress.limit else { throw .segmentationViolation }
    // It may wait for a fork, which waits for this section.
    precondition(!RCU.isReading, "a fault inside a read-side section could wait for itself")
    if tableLocks != nil { mmapLock.lockForReading() }
    defer { if tableLocks != nil { mmapLock.unlock() } }
    try resolve(address, access, holdsMmapLock: tableLocks != nil)
  }

  /// The loop of attempts. `holdsMmapLock`: whether the caller holds the mmap lock for reading.
  func resolve(_ address: VirtualAddress, _ access: FaultAccess, holdsMmapLock: Bool) throws(PageError) {
    var resources = FaultResources(nodes: SpareNodes(memory))
    var error: PageError?
    var mayDrain = true
    var mayBreakUp = true
    var turns = 0
    attempts: while true {
      switch attempt(address, access, &resources, mayDrain: mayDrain) {
      case .done:
        break attempts
      case .again:
        PTEPointer.wait(&turns)
      case .sealed:
        // A writer has the lock; once it lets us in, it is done.
        waitForWriters(unless: holdsMmapLock)
      case .needsNode:
        resources.nodes.add()
      case .needsFrame:
        // A page it is: the 2 MiB that were meant for it may be all there is.
        if let frame = resources.hugeFrame { memory.discardHugeFrame(frame) }
        resources.hugeFrame = nil
        do throws(PageError) { resources.frame = try memory.allocateFrame(underLock: holdsMmapLock) } catch let failure
        {
          if makesRoom(after: failure, once: &mayBreakUp, holdsMmapLock: holdsMmapLock) { continue }
          error = failure
          break attempts
        }
      case .needsHugeFrame:
        getHugeFrame(&resources, holdsMmapLock: holdsMmapLock)
      case .needsAnswer(let backing, let question):
        // Nobody's work is done under the mmap lock: a backing may need other spaces' locks to answer.
        if holdsMmapLock { mmapLock.unlock() }
        let isAnswered = ask(backing, question, &resources)
        if holdsMmapLock { mmapLock.lockForReading() }
        if !isAnswered { PTEPointer.wait(&turns) }
      case .needsSwapped(let slot):
        discardSwapped(&resources)
        do throws(PageError) { resources.swapped = try read(slot, holdsMmapLock: holdsMmapLock) } catch let failure {
          if makesRoom(after: failure, once: &mayBreakUp, holdsMmapLock: holdsMmapLock) { continue }
          error = failure
          break attempts
        }
      case .needsDrain:
        // Not `flushDeferredFrees`, which waits for the swap file's writer too, and releases objects.
        memory.deferred.reclaim()
        mayDrain = false
      case .failed(let failure):
        // No mapping may be what a MAP_FIXED replacement looks like from inside: it is true only where it is seen while no
        // writer is at work.
        if failure == .segmentationViolation, !holdsMmapLock {
          let isMapped = mmapLock.reading { _ in permits(access, at: address) }
          if isMapped { continue }
        }
        if makesRoom(after: failure, once: &mayBreakUp, holdsMmapLock: holdsMmapLock) {
          // It was the backing's answer that there is no memory.
          discardAnswer(&resources)
          continue
        }
        error = failure
        break attempts
      }
    }
    if let frame = resources.frame { memory.discardFrame(frame) }
    if let frame = resources.hugeFrame { memory.discardHugeFrame(frame) }
    discardAnswer(&resources)
    discardSwapped(&resources)
    if let copied = resources.copied {
      if holdsMmapLock { mmapLock.unlock() }
      tell(copied)
      if holdsMmapLock { mmapLock.lockForReading() }
    }
    if let error {
      if resources.nodes.haveBeenLinked { unlinkVacantNodesAfterFault(around: address, holdsMmapLock: holdsMmapLock) }
      throw error
    }
    events.add(1, to: Counters.faultIndex)
    if !holdsMmapLock { memory.deferred.drainIfFull() }
  }

  /// Whether a fault that lacked memory should try again. What partial unmaps left of 2 MiB frames is memory, too.
  private func makesRoom(after failure: PageError, once mayBreakUp: inout Bool, holdsMmapLock: Bool) -> Bool {
    guard failure == .outOfMemory, mayBreakUp else { return false }
    mayBreakUp = false
    if holdsMmapLock { mmapLock.unlock() }
    defer { if holdsMmapLock { mmapLock.lockForReading() } }
    // Objects that wait for their release may hold memory: a file that is mapped no more.
    let hasReleased = memory.deferred.drain()
    return breakUpHugeFrames(.leftovers, in: VirtualAddress(0)..<VirtualAddress.limit) || hasReleased
  }

  private func permits(_ access: FaultAccess, at address: VirtualAddress) -> Bool {
    RCU.read { mappings.find(address)?.value.permits(access) ?? false }
  }

  /// Unlinks the nodes that a fault linked while `unmap` removed its mapping. The unmapping thread did not see them.
  func unlinkVacantNodesAfterFault(around address: VirtualAddress, holdsMmapLock: Bool) {
    if holdsMmapLock { mmapLock.unlock() }
    mmapLock.writing { writer in
      let page = address.pageStart..<address.pageStart + Page.size
      let next = mappings.first(endingAbove: page.lowerBound, writer.reader)
      if let next, next.value.range.contains(page.lowerBound) { return }
      var teardown = Teardown(memory.deferred)
      unlinkVacantNodes(around: page, writer, &teardown)
      teardown.finishWithoutGracePeriod()
    }
    if holdsMmapLock { mmapLock.lockForReading() }
  }

  private func waitForWriters(unless holdsMmapLock: Bool) {
    guard !holdsMmapLock else { return }
    mmapLock.waitForWriter()
  }

  private func attempt(
    _ address: VirtualAddress, _ access: FaultAccess, _ resources: inout FaultResources, mayDrain: Bool
  ) -> FaultOutcome {
    guard let tableLocks else {
      return RCU.read { attemptInSection(address, access, &resources, mayDrain: mayDrain) }
    }
    return tableLocks.locked(address) {
      RCU.read { attemptInSection(address, access, &resources, mayDrain: mayDrain) }
    }
  }

  private func attemptInSection(
    _ address: VirtualAddress, _ access: FaultAccess, _ resources: inout FaultResources, mayDrain: Bool
  ) -> FaultOutcome {
    // The mapping first, the table after: a node that this mapping's entries live in cannot have been unlinked before.
    guard let mapping = mappings.find(address), mapping.value.permits(access) else {
      return .failed(.segmentationViolation)
    }
    guard mapping.value.isLive else { return mapping.value.isDetached ? .again : .sealed }
    YieldPoint.faultBeforeWalk.reach()
    let outcome: FaultOutcome
    let wantsHuge = mapping.value.attributes.hugePages && wantsHuge(address, access, in: mapping, resources)
    switch table.walk(to: address, wantsHuge: wantsHuge, using: &resources.nodes) {
    case .needsNode: return .needsNode
    case .base(let ptep):
      let pte = ptep.load()
      if pte.isBusy || !stillRules(mapping) { return .again }
      let site = FaultSite(address: address, mapping: mapping, ptep: ptep, pte: pte)
      outcome = touch(site, access, &resources, mayDrain: mayDrain)
    case .huge(let ptep):
      let pte = ptep.load()
      if pte.isBusy || TableNode(link: pte) != nil || !stillRules(mapping) { return .again }
      // What was in the way of a node is gone.
      if pte.isEmpty, !wantsHuge { return .again }
      let site = FaultSite(address: address.hugeStart, mapping: mapping, ptep: ptep, pte: pte, isHuge: true)
      outcome = touch(site, access, &resources, mayDrain: mayDrain)
    }
    // The entry may be another mapping's, put there since: what the old one makes of it does not count.
    if case .failed = outcome, mapping.value.isDetached { return .again }
    return outcome
  }

  /// What an access finds, and does, at a place that is not locked.
  private func touch(
    _ site: FaultSite, _ access: FaultAccess, _ resources: inout FaultResources, mayDrain: Bool
  ) -> FaultOutcome {
    let pte = site.pte
    // It lies across a cut, and is about to be split.
    if site.isHuge, !site.mapping.value.covers(site.address.hugeRange) { return .sealed }
    if pte.isEmpty {
      return site.isHuge ? firstHugeTouch(site, access, &resources) : firstTouch(site, access, &resources)
    }
    guard pte.isMapped else { return touchNonPresent(site, access, &resources) }
    // A protnone entry in a mapping that permits the access is being changed at this moment; unless the caller may ignore
    // permissions.
    if pte.isProtNone, !access.isForced, site.mapping.value.attributes.protection != .none { return .again }
    switch access {
    case .read, .forcedRead:
      return pte.isAccessed ? .done : install(pte.with(PTELayout.accessed), at: site)
    case .write, .forcedWrite:
      return writeTouch(site, access, &resources, mayDrain: mayDrain)
    case .unshare:
      return unshare(site, &resources, mayDrain: mayDrain)
    }
  }

  /// An entry that maps nothing and is not empty.
  func touchNonPresent(
    _ site: FaultSite, _ access: FaultAccess, _ resources: inout FaultResources
  ) -> FaultOutcome {
    switch site.pte.nonPresentKind {
    case .swap: swapIn(site, access, &resources)
    case .migration: .sealed
    case .busy: .again
    case nil: .failed(.busError)
    }
  }

  /// Replaces the entry of the site by `new` if `lock` succeeds.
  func install(_ new: PTE, at site: FaultSite, validating answer: BackingAnswer? = nil, asSoleUser: Bool = false)
    -> FaultOutcome
  {
    if let refusal = lock(site, validating: answer, asSoleUser: asSoleUser) { return refusal }
    site.ptep.store(new)
    return .done
  }

  /// Locks the entry of the site, if it is as the attempt found it and the mapping is still in force. Returns nil then: the
  /// caller stores to the entry, which cannot fail. Otherwise the entry is unlocked, and the result says how the attempt ends.
  ///
  /// ORDERING [lock-then-validate]: the entry is locked first, the mapping's state is looked at after, and so are the
  /// references: a fork that shared the frame and was over before the lock has left the entry as it was and its mapping live.
  ///
  /// - Parameters:
  ///   - answer: the backing's answer that the new entry rests on, if any; it must still hold.
  ///   - asSoleUser: whether the entry's reference must be the frame's only one.
  func lock(_ site: FaultSite, validating answer: BackingAnswer? = nil, asSoleUser: Bool = false) -> FaultOutcome? {
    YieldPoint.faultBeforeInstall.reach()
    guard site.ptep.lock(site.pte) else { return .again }
    guard site.mapping.value.isLive else {
      site.ptep.store(site.pte)
      return .sealed
    }
    if let answer, !answer.holds {
      // The page moved after the backing answered: ask again.
      site.ptep.store(site.pte)
      return .again
    }
    if asSoleUser, frames.frame(site.pte.folioPFN).references > 1 {
      site.ptep.store(site.pte)
      return .again
    }
    return nil
  }
}
