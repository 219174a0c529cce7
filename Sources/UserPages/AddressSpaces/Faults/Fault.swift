/// One fault: from the access that missed to the entry that allows it (`handle_mm_fault`).
///
/// A fault is a loop of attempts. An attempt runs inside one read-side section and looks everything up anew. It either
/// finishes or says what it lacks. The fault gets that outside of the section, where it may wait and allocate, and
/// attempts again. (A frame of the thread's own cache needs no wait: a first touch takes it inside.)
///
/// So no entry is locked while memory is allocated, a page is cleared or a backing works. Two faults on different pages
/// share no written line.
///
/// The value owns what the fault has got so far. Its end gives back what no entry took.
///
/// With the `locked` engine the fault runs under the mmap lock, held for reading, as in Linux 2.6.24. It leaves the
/// lock while a backing's code or a backing's end may run, and while it needs the lock for writing.
struct Fault: ~Copyable {
  let address: VirtualAddress
  let access: FaultAccess
  /// Whether the fault may allocate movable frames: not if it is a long-term pin's.
  let mayUseMovableFrame: Bool

  // Copies of the space's trivial values, so that reaching them touches no reference count.
  let engine: PinEngine
  let frames: FrameTable
  let events: ShardedCounters
  let zeroPage: PFN
  /// The space. The caller of the fault keeps it alive.
  let space: Unretained<AddressSpace>

  // What the fault has got.

  var nodes: SpareNodes
  var frame: NewFrame?
  /// The first of 2 MiB of allocated frames, zeroed, that no entry maps yet.
  var hugeFrame: PFN?
  /// Neither the allocator nor the backing has 2 MiB for this fault. It maps a base page.
  var isHugeRefused = false
  /// What an attempt wants to know of a backing. Here and not in the outcome: this may be the last reference to the
  /// backing, and must not fall under a lock.
  var question: FaultQuestion?
  /// The question before `question`, for the same reason. The fault lets go of it when it asks.
  var lastQuestion: FaultQuestion?
  var answer: BackingAnswer?
  /// How often in a row the same question was asked in vain.
  var repeats = 0
  /// The copy of a backing's page that the fault has installed, until the backing has been told.
  var copied: CopiedPage?
  var swapped: SwappedPage?

  /// False once the fault has drained the deferred queue: no reference that waits for a grace period is in its way any
  /// more.
  private(set) var mayDrain = true
  /// False once the fault has looked for memory outside of the allocator.
  private var mayMakeRoom = true

  init(in space: borrowing AddressSpace, at address: VirtualAddress, _ access: FaultAccess, movable: Bool) {
    mayUseMovableFrame = movable
    self.address = address
    self.access = access
    engine = space.engine
    frames = space.frames
    events = space.events
    zeroPage = space.memory.zeroPage
    self.space = Unretained(space)
    nodes = SpareNodes(space.memory)
  }

  deinit {
    space.with { space in
      if let frame { space.memory.discardFrame(frame.pfn) }
      if let hugeFrame { space.memory.discardHugeFrame(hugeFrame) }
      swapped?.giveBack(to: space.memory)
    }
  }

  /// How one attempt ended.
  enum Outcome {
    case done
    /// The entry or the mapping changed, or another thread has the entry locked: attempt again.
    case again
    /// An operation is changing the mapping or the entry: the fault waits for a writer, then attempts again.
    case writeLocked
    case needsNode
    /// The mapping may get a private page, and has no `anon_vma`.
    case needsAnonVMA
    /// A frame with any contents, or one of zeroes.
    case needsFrame(zeroed: Bool)
    case needsHugeFrame
    /// The answer to `question`.
    case needsAnswer
    /// The page must be read from the swap file. The fault holds the slot.
    case needsSwapped(SwapSlot)
    /// The frame could be reused but for references that may only wait for a grace period.
    case needsDrain
    case failed(PageError)
    /// The entry is a guard marker: a segmentation violation, although the mapping permits the access.
    case guarded
    /// The backing's answer is wrong: a bus error, and a diagnostic.
    case refused(BackingDiagnostic.Reason)
  }

  /// Attempts until the access is possible.
  ///
  /// - Throws: as `AddressSpace.fault(at:_:movable:)`.
  mutating func resolve() throws(PageError) {
    var turns = 0
    while true {
      switch attempt() {
      case .done:
        return
      case .again:
        PTEPointer.wait(&turns)
      case .writeLocked:
        waitForWriter()
        // A page-out that drops the page holds the lock for reading only.
        PTEPointer.wait(&turns)
      case .needsNode:
        do throws(PageError) { try nodes.add() } catch { try makeRoom(after: error) }
      case .needsAnonVMA:
        space.with { space in space.leavingFaultLock { space.prepareAnonVMA(at: address) } }
      case .needsFrame(let zeroed):
        do throws(PageError) { try getFrame(zeroed: zeroed) } catch { try makeRoom(after: error) }
      case .needsHugeFrame:
        getHugeFrame()
      case .needsAnswer:
        try getAnswer()
      case .needsSwapped(let slot):
        do throws(PageError) { try getSwapped(slot) } catch { try makeRoom(after: error) }
      case .needsDrain:
        // Not `flushDeferredFrees`, which waits for the swap file's writer too, and releases objects.
        space.with { $0.memory.deferred.reclaim() }
        mayDrain = false
      case .failed(let failure):
        if failure == .segmentationViolation, isPermittedAfterAll() { continue }
        try makeRoom(after: failure)
      case .guarded:
        throw .segmentationViolation
      case .refused(let reason):
        report(reason)
        throw .busError
      }
    }
  }

  /// Tells a backing of its copied page, and lets go of the backing. At the end of every fault, in whatever way it
  /// ended.
  ///
  /// Under no lock: the mapping may be gone, and this reference to the backing the last one. Its end may run any code.
  mutating func leaveBacking() {
    if question == nil, answer == nil, copied == nil { return }
    space.with { space in
      space.leavingFaultLock {
        deferEndsOfBackings(in: space)
        if let copied = copied.take() { copied.tell() }
        answer = nil
        question = nil
        lastQuestion = nil
      }
    }
  }

  /// Where the ends of users' objects must not run, the deferred queue lets go of the fault's backings after the fault
  /// (`ReclaimScope`).
  func deferEndsOfBackings(in space: AddressSpace) {
    if ReclaimScope.mayRelease { return }
    func hold(_ backing: any Backing) { space.memory.deferred.enqueue(.object(backing)) }
    if let question { hold(question.backing) }
    if let lastQuestion { hold(lastQuestion.backing) }
    switch answer {
    case .some(let answer): hold(answer.question.backing)
    case .none: break
    }
    switch copied {
    case .some(let copied): hold(copied.backing)
    case .none: break
    }
  }

  private func waitForWriter() {
    // With engine `locked` the fault holds the lock, so no writer has write-locked the mapping.
    space.with { if !$0.faultsHoldMmapLock { $0.mmapLock.waitForWriter(at: address) } }
  }

  /// Whether the mapping allows the access while no writer is at work. While `map` replaces a mapping (MAP_FIXED), a
  /// look-up without the lock may find neither the old one nor the new one. So an error is believed only under the
  /// lock.
  private func isPermittedAfterAll() -> Bool {
    space.with { space in
      guard !space.faultsHoldMmapLock else { return false }
      return space.mmapLock.reading(at: address) { _ in
        RCU.read { space.mappings.find(address, $0)?.value.permits(access) ?? false }
      }
    }
  }

  /// Looks once for memory outside of the allocator, if `failure` says that memory is lacking. If there is none, throws
  /// `failure`.
  private mutating func makeRoom(after failure: PageError) throws(PageError) {
    guard failure.isLackOfMemory else { throw failure }
    // The fault itself may hold 2 MiB that it got before a base page came to be there.
    if let first = hugeFrame.take() {
      isHugeRefused = true
      space.with { $0.memory.discardHugeFrame(first) }
      return
    }
    guard mayMakeRoom else { throw failure }
    mayMakeRoom = false
    let hasRoom = space.with { space in
      space.leavingFaultLock {
        // The backing may have lacked the memory: the fault asks again.
        deferEndsOfBackings(in: space)
        answer = nil
        // Objects that wait for their release may hold memory: a file that is no longer mapped.
        return space.memory.deferred.drain()
      }
    }
    guard hasRoom else { throw failure }
  }
}

extension AddressSpace {
  /// Resolves a fault at `address`. Not inside a read-side section, nor holding the mmap lock.
  ///
  /// - Throws:
  ///   - `segmentationViolation` if no mapping is there, or it does not allow the access.
  ///   - `busError` if what the mapping shows is not there, as past the end of a file.
  ///   - `busErrorOfFile` if the file behind the page failed.
  ///   - `outOfMemory` if memory is lacking, after reclaim. `file` with `ENOMEM` if a file's call lacked it.
  @inline(never)
  func fault(at address: VirtualAddress, _ access: FaultAccess, movable: Bool = true) throws(PageError) {
    guard address < VirtualAddress.limit else { throw .segmentationViolation }
    // It may wait for a fork, which waits for this section.
    precondition(!RCU.isReading, "a fault inside a read-side section could wait for itself")
    try underFaultLock { () throws(PageError) in try handleFault(at: address, access, movable: movable) }
    if !faultsHoldMmapLock { memory.deferred.drainIfFull() }
  }

  /// As `fault`, for a caller inside `underFaultLock`. The fault may leave that lock for a while.
  func handleFault(at address: VirtualAddress, _ access: FaultAccess, movable: Bool = true) throws(PageError) {
    var fault = Fault(in: self, at: address, access, movable: movable)
    do throws(PageError) { try fault.resolve() } catch {
      fault.leaveBacking()
      if fault.nodes.haveBeenLinked { leavingFaultLock { unlinkNodesAfterFault(at: address) } }
      throw error
    }
    fault.leaveBacking()
    events.add(1, to: Counters.faultIndex)
  }

  /// Unlinks the nodes that a fault or an insertion linked while `unmap` removed its mapping. The unmapping thread did
  /// not see them. Not holding the mmap lock.
  func unlinkNodesAfterFault(at address: VirtualAddress) {
    let page = address.pageStart..<address.pageStart + Page.size
    mmapLock.writing(page, in: mappings) { writer in
      if mappings.find(page.lowerBound, writer.reader) != nil { return }
      var teardown = Teardown(memory.deferred)
      unlinkVacantNodes(around: page, writer, &teardown)
      teardown.finishWithoutGracePeriod()
    }
  }
}
