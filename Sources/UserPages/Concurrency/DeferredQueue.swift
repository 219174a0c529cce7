import CPlatform
import Synchronization

/// Frees and releases that wait for a grace period, gathered so that one grace period serves many (`call_rcu`).
///
/// Words are added to the calling thread's list and freed in batches. The life of a word:
///
///     writer                          queue                             readers that may still see it
///     makes the thing unreachable
///     enqueue(word) ---------------->  the list's end                    sections open before the unlinking
///                                      a cookie for what is in the list
///                                      a whole grace period  <--------   all of them have ended
///                                      memory: freed
///                                      objects: ready -> released, under no lock
///
/// What a caller may rely on. Other comments cite the letters:
///
/// - (a) A word is freed once, after a grace period (`RCU`, b) that begins after it was enqueued.
/// - (b) An object is released by a thread that holds no lock of the library's and does not reclaim. This thread is in
///   no section and in no call of a page cache's store or `willWriteBack`. Its `deinit` or closure may call any
///   operation of the library. Which thread that is, and when, is not said.
/// - (c) When `drainAll` or `barrier` returns, all that was enqueued before the call, by any thread, is freed and
///   released.
/// - (d) From inside an object's release the two keep (c) for memory, but not for objects. Those are ready, and are
///   released when the present one is done, by this thread or by the one that has begun. A thread that waited there
///   could wait for itself, or for a thread that waits for it. The same holds inside a call as in (b): the objects are
///   released when it is over.
/// - (e) A frame that a pin slot holds is freed after the slot is vacated, by the next drain at the latest.
/// - (f) `reclaim` frees memory and releases no object, so a thread that holds a lock may call it.
///
/// A batch is weighed by the bytes that its words keep from being used again. A grace period costs the more the more
/// threads run, since it interrupts each. So a batch is the larger the longer the thread's last two took, and any
/// thread's serves all batches:
///
///     a thread, each eighth of a batch           any thread
///     cut <- the list's end
///     cookie <- GracePeriod.next
///                                                a grace period that begins after the cookie was taken
///     frees what lies before the cut
///     waits for a grace period itself only if a whole batch has gathered nevertheless
///
/// If the cookie's grace period is under way then, the thread goes on until two batches have gathered. Else threads
/// that fill their batches at the same time would sleep together, and run a second one for what the first one serves.
///
/// ORDERING [deferred-free]: (a): the list's end is read before the cookie is taken. A grace period that ends the
/// cookie's has begun after that ([change-then-grace]). So a section that could have met the thing began before the
/// grace period, and has ended when the word is freed.
///
/// Locks: see <doc:LockOrder>, level 9.
final class DeferredQueue: @unchecked Sendable {
  /// As many objects make a batch. How much memory an object keeps from use is not known.
  static let batch = 512
  /// Lists. A thread has its own, and those beyond the 63rd share the last.
  static let shardCount = 64
  private static let nodeBytes = MemoryLayout<COWBTree.NodeBody>.stride

  /// Where the nodes of `COWBTree`s come from and go to.
  let treeNodes = FreeListPool(bytes: nodeBytes, alignment: COWBTree.nodeAlignment)
  /// Where the cells of published values come from. Those of plain values go back to it, the others to the heap.
  let publishedCells = FreeListPool(bytes: PublishedCell.bytes, alignment: PublishedCell.headerBytes)

  /// What all but the owner hold.
  var handle: Handle { Handle(self) }

  private let free: @Sendable (Span<DeferredWord>) -> [DeferredWord]
  /// What a word of each tag weighs.
  private let weights: InlineArray<8, Int>
  private let lists = DeferredLists(count: shardCount)
  // For the lists' owners, and freed with the queue. Raw memory, so that neighbours share no line.
  private let schedules: UnsafeMutablePointer<BatchSchedule>
  /// Held while words are freed, so that `reclaim` can wait for that. Over a grace period only where a device has ended
  /// and its frames were mapped (`DeferredFrames.free`).
  private let drainLocks = LockArray(count: shardCount)
  /// The owner's lock of the list that threads share.
  private let sharedLock = FutexLock()
  private let heldBack = HeldBackWords()
  private let objects = ReadyObjects()

  /// - Parameters:
  ///   - weights: what a word of each tag of the layers above weighs, by default as much as an object.
  ///   - free: gets the words of the layers above, some at a time, after their grace period. It returns those that
  ///     cannot be freed yet, and gets them again later. It runs under the queue's locks, so it runs no user's code.
  init(weights others: [UInt64: Int] = [:], free: @escaping @Sendable (Span<DeferredWord>) -> [DeferredWord]) {
    self.free = free
    var weights = InlineArray<8, Int>(repeating: BatchSchedule.leastWeight / Self.batch)
    weights[Int(DeferredWord.treeNodeTag)] = Self.nodeBytes
    weights[Int(DeferredWord.publishedTag)] = DeferredWord.publishedWeight
    weights[Int(DeferredWord.plainPublishedTag)] = DeferredWord.publishedWeight
    for (tag, weight) in others { weights[Int(tag)] = weight }
    self.weights = weights
    schedules = .allocate(capacity: Self.shardCount)
    for index in 0..<Self.shardCount { (schedules + index).initialize(to: BatchSchedule()) }
  }

  deinit {
    lists.release()
    schedules.deallocate()
    drainLocks.release()
  }

  /// Runs `body` as the owner of the calling thread's list, which it lends as an index.
  @inline(__always)
  private func asOwner<Result>(_ body: (Int) -> Result) -> Result {
    let thread = Int(ThreadNumber.current)
    if _fastPath(thread < Self.shardCount - 1) { return body(thread) }
    sharedLock.lock()
    defer { sharedLock.unlock() }
    return body(Self.shardCount - 1)
  }

  /// Adds a word. What it means must be unreachable. A list of the thread's own, so a few plain stores.
  @inline(__always)
  func enqueue(_ word: DeferredWord) {
    asOwner { index in
      schedules[index].weight &+= weights[Int(word.tag)]
      lists.append(word, to: index)
    }
  }

  /// The words that wait for a grace period or a pin slot at this moment. Waits for drains that free words now.
  func waitingWords() -> [DeferredWord] {
    var words = heldBack.copy()
    for index in 0..<Self.shardCount where !lists.isEmpty(index) {
      drainLocks.lock(index)
      words += lists.copy(of: index)
      drainLocks.unlock(index)
    }
    return words
  }

  /// Whether something waits at this moment, on any thread.
  var isAnythingPending: Bool {
    heldBack.count > 0 || objects.isAnyReady || (0..<Self.shardCount).contains { !lists.isEmpty($0) }
  }

  /// How many words were ever freed, on all lists. A hint.
  var freedCount: Int { (0..<Self.shardCount).reduce(0) { $0 &+ lists.front(of: $1) } }

  /// Whether a thread releases objects at this moment. A hint.
  var isReleasing: Bool { objects.isAnyUnderWay }

  // MARK: Draining

  /// Frees what a grace period has made ready in the calling thread's list. If a batch has gathered, waits for a grace
  /// period first. Releases what is ready, if the thread may (`ReclaimScope.mayRelease`). Inside a section it does
  /// nothing.
  ///
  /// - Precondition: the caller holds no lock of the library's but those that its scope tells of.
  func drainIfFull() {
    let (isDue, isHeldBackDue) = asOwner { (schedules[$0].isDue, heldBack.count > 0 && countCall($0)) }
    guard isDue || isHeldBackDue || objects.isAnyReady, !RCU.isReading else { return }
    if isDue { drainOwnList() }
    if isHeldBackDue { heldBack.look(mustWait: false, free) }
    objects.releaseAll()
  }

  private func countCall(_ index: Int) -> Bool {
    schedules[index].callsSinceLook += 1
    guard heldBack.isLookDue(after: schedules[index].callsSinceLook) else { return false }
    schedules[index].callsSinceLook = 0
    return true
  }

  private func drainOwnList() {
    let (list, ended) = asOwner { index in (index, schedules[index].served) }
    // Served by a grace period of any thread.
    free(list, upTo: ended)
    guard let end = asOwner(cutOrFindFull) else { return }
    weighBatches(after: ContinuousClock().measure { GracePeriod.next.wait() })
    free(list, upTo: end)
  }

  /// Has the calling thread's batches weigh what fits `wait`, which its last one's grace period took.
  func weighBatches(after wait: Duration) { asOwner { schedules[$0].weigh(after: wait) } }

  /// Cuts the owner's list. If a whole batch waits, returns the list's end instead.
  ///
  /// ORDERING [deferred-free]: the end first, then the cookie.
  private func cutOrFindFull(_ index: Int) -> Int? {
    let end = lists.end(of: index)
    return schedules[index].cutOrFindFull(end: end, freedWeight: lists.freedWeight(of: index)) ? end : nil
  }

  /// Frees the memory among what was enqueued before the call, on any thread, with one grace period. Its objects become
  /// ready.
  ///
  /// Releases nothing (f), so a thread that holds the mmap lock may call it.
  ///
  /// - Precondition: not inside a section.
  func reclaim() {
    RCU.requireNoSection()
    // ORDERING [deferred-free]: the ends first, then the grace period.
    var ends = InlineArray<64, Int>(repeating: 0)
    var isAnyLeft = false
    for index in 0..<Self.shardCount where !lists.isEmpty(index) {
      ends[index] = lists.end(of: index)
      isAnyLeft = true
    }
    if isAnyLeft { GracePeriod.next.wait() }
    // Waits for drains that free some of them now (c).
    for index in 0..<Self.shardCount { free(index, upTo: ends[index]) }
    // Last, so that it finds what those have held back (e). What is held back has had its grace period.
    heldBack.look(mustWait: true, free)
  }

  /// Frees and releases what was enqueued before the call, and what that defers on this thread in turn. Waits for no
  /// other thread's releases. Returns whether an object was released.
  ///
  /// Objects come in chains: a mapping holds the last reference to a file, and the file's end defers its frames.
  ///
  /// - Precondition: as `drainIfFull`, and not inside a section.
  @discardableResult
  func drain() -> Bool {
    var hasReleased = false
    repeat {
      reclaim()
      guard objects.releaseAll() else { return hasReleased }
      hasReleased = true
      // What other threads defer meanwhile is not waited for: that could last for ever.
    } while asOwner { !lists.isEmpty($0) }
    return hasReleased
  }

  /// Frees and releases everything that was enqueued before the call (c), and the chains on it that this thread meets.
  ///
  /// - Precondition: as `drain`.
  func drainAll() {
    drain()
    objects.waitForRoundsUnderWay()
  }

  /// Frees and releases everything that was enqueued before the call (c), and nothing that was enqueued since: it ends
  /// where closures defer themselves again.
  ///
  /// - Precondition: as `drain`.
  func barrier() {
    reclaim()
    objects.releaseAll()
    objects.waitForRoundsUnderWay()
  }

  /// Frees the memory of a list's words up to `end` after their grace period, and makes their objects ready. Returns
  /// when they are free, whichever thread has freed them (c).
  private func free(_ list: Int, upTo end: Int) {
    if lists.front(of: list) >= end { return }
    drainLocks.lock(list)
    defer { drainLocks.unlock(list) }
    lists.take(upTo: end, from: list) { words in
      var weight = 0
      var ready: [DeferredWord] = []
      // The words of the layers above move to the front.
      var others = 0
      for word in words {
        weight += weights[Int(word.tag)]
        if word.isTreeNode {
          treeNodes.free(word.pointer)
        } else if word.isPlainPublished {
          freePlainCell(word.pointer)
        } else if word.isObject {
          ready.append(word)
        } else {
          words[others] = word
          others += 1
        }
      }
      if others > 0 { heldBack.add(free(words.span.extracting(0..<others))) }
      objects.append(ready)
      return weight
    }
  }
}
