import CPlatform
import Synchronization

/// Frees and releases that wait for a grace period, gathered so that one grace period serves many (`call_rcu`).
///
/// Words are appended to the calling thread's shard and freed in batches. The life of a word:
///
///     writer                          queue                             readers that may still see it
///     makes the thing unreachable
///     enqueue(word) ---------------->  shard.pending                     sections open before the unlinking
///                                      reclaim: takes the batch
///                                      a whole grace period  <--------   all of them have ended
///                                      memory: freed
///                                      objects: ready -> released, under no lock
///
/// What a caller may rely on; other comments cite the letters:
///
/// - (a) A word is freed once, after a grace period (`RCU`, b) that begins after it was enqueued.
/// - (b) An object is released by a thread that holds no lock of the library's and is in no section; its `deinit` or closure
///   may call any operation of the library. Which thread that is, and when, is not said.
/// - (c) When `drainAll` or `barrier` returns, all that was enqueued before the call, by any thread, is freed and released.
/// - (d) From inside an object's release the two keep (c) for memory, but not for objects: those are ready, and are released
///   when the present one is done, by this thread or by the one that has begun. A thread that waited there could wait for itself,
///   or for a thread that waits for it.
/// - (e) A frame that a pin slot holds is freed after the slot is vacated, by the next drain at the latest.
/// - (f) `reclaim` frees memory and releases no object, so a thread that holds a lock may call it.
///
/// ORDERING [deferred-free]: (a): a word is in the batch before the batch's grace period starts (the shard's lock orders the
/// append before the take), so a section that could have met the thing began before the grace period and has ended when
/// the word is freed.
///
/// Lock order: drain locks in the order of their indices, the words held back, pending locks and the ready objects' monitor.
final class DeferredQueue: @unchecked Sendable {
  /// Words that a shard gathers before `drainIfFull` finds it worth a grace period.
  static let batch = 512
  /// Shards; a power of two. Threads beyond that many share.
  static let shardCount = 64

  /// Where the nodes of `COWBTree`s come from and go to. A thread keeps as many as two batches can bring.
  let treeNodes = FreeListPool(
    bytes: MemoryLayout<COWBTree.NodeBody>.stride, alignment: MemoryLayout<COWBTree.NodeBody>.alignment,
    limit: 2 * batch)

  /// What all but the owner hold.
  var handle: Handle { Handle(self) }

  private let free: @Sendable (Span<DeferredWord>) -> [DeferredWord]
  // Raw memory: each shard is used by other threads than the one that changes another; freed with the queue.
  private let shards: UnsafeMutablePointer<Shard>
  private let pendingLocks = LockArray(count: shardCount)
  /// Held from the take of a batch until its memory is free and its objects are ready, so that `reclaim` can wait for it.
  private let drainLocks = LockArray(count: shardCount)
  private let heldBack = HeldBackWords()
  private let objects = ReadyObjects()

  /// - Parameter free: gets the words of the layers above, a batch at a time, after their grace period; returns those that
  ///   cannot be freed yet, and gets them again later. Runs under the queue's locks: it runs no user's code.
  init(free: @escaping @Sendable (Span<DeferredWord>) -> [DeferredWord]) {
    self.free = free
    shards = .allocate(capacity: Self.shardCount)
    for index in 0..<Self.shardCount { (shards + index).initialize(to: Shard()) }
  }

  deinit {
    for index in 0..<Self.shardCount { (shards + index).deinitialize(count: 1) }
    shards.deallocate()
    pendingLocks.release()
    drainLocks.release()
  }

  /// A thread's gathering place. Two cache lines wide, so that neighbours do not share one.
  private struct Shard: ~Copyable {
    // Guarded by the shard's pending lock.
    var pending: UnsafeMutablePointer<DeferredWord>?
    var count = 0
    var capacity = 0
    /// Calls of `drainIfFull` since the last one that looked at the words held back.
    var callsSinceLook = 0
    private let padding: InlineArray<12, UInt64> = .init(repeating: 0)

    deinit {
      precondition(count == 0, "a queue of deferred frees was dropped with words in it")
      pending?.deallocate()
    }
  }

  private func append(_ words: Span<DeferredWord>, to index: Int) {
    pendingLocks.lock(index)
    defer { pendingLocks.unlock(index) }
    let shard = shards + index
    let count = shard.pointee.count
    if count + words.count > shard.pointee.capacity { grow(shard, by: words.count) }
    let free = shard.pointee.pending! + count
    for index in words.indices { (free + index).initialize(to: words[index]) }
    shard.pointee.count = count + words.count
  }

  @inline(never)
  private func grow(_ shard: UnsafeMutablePointer<Shard>, by more: Int) {
    let capacity = max(2 * shard.pointee.capacity, Self.batch + more)
    let larger = UnsafeMutablePointer<DeferredWord>.allocate(capacity: capacity)
    if let pending = shard.pointee.pending {
      larger.update(from: pending, count: shard.pointee.count)
      pending.deallocate()
    }
    shard.pointee.pending = larger
    shard.pointee.capacity = capacity
  }

  /// The pending words, now the caller's to free and deallocate.
  private func take(from index: Int) -> UnsafeMutableBufferPointer<DeferredWord>? {
    pendingLocks.lock(index)
    defer { pendingLocks.unlock(index) }
    let shard = shards + index
    guard shard.pointee.count > 0, let words = shard.pointee.pending else { return nil }
    let taken = UnsafeMutableBufferPointer(start: words, count: shard.pointee.count)
    shard.pointee.pending = nil
    shard.pointee.count = 0
    shard.pointee.capacity = 0
    return taken
  }

  private func pendingCount(of index: Int) -> Int {
    pendingLocks.lock(index)
    defer { pendingLocks.unlock(index) }
    return shards[index].count
  }

  /// The words that wait for a grace period or a pin slot at this moment, those of a batch that is being freed not among them.
  func waitingWords() -> [DeferredWord] {
    var words = heldBack.copy()
    for index in 0..<Self.shardCount {
      pendingLocks.lock(index)
      words += UnsafeBufferPointer(start: shards[index].pending, count: shards[index].count)
      pendingLocks.unlock(index)
    }
    return words
  }

  /// Whether something waits at this moment, on any thread.
  var isAnythingPending: Bool {
    heldBack.count > 0 || objects.isAnyReady || (0..<Self.shardCount).contains { pendingCount(of: $0) > 0 }
  }

  /// Whether a thread releases objects at this moment. A hint.
  var isReleasing: Bool { objects.isAnyUnderWay }

  private var ownShard: Int { Int(cp_thread_index()) & (Self.shardCount - 1) }

  /// Adds a word. Wait-free but for the shard's lock, which only a drain of the same shard contends for.
  func enqueue(_ word: DeferredWord) {
    let one: InlineArray<1, DeferredWord> = [word]
    append(one.span, to: ownShard)
  }

  /// Adds words, as `enqueue` of each.
  func enqueue(_ words: Span<DeferredWord>) { append(words, to: ownShard) }

  // MARK: Draining

  /// Drains the calling thread's shard if it has gathered a batch, and releases what is ready. Inside a section it does nothing.
  ///
  /// - Precondition: the caller holds no lock of the library's.
  func drainIfFull() {
    let shard = ownShard
    let (isFull, isLookDue) = dueWork(of: shard)
    guard isFull || isLookDue || objects.isAnyReady, !RCU.isReading else { return }
    // Another thread drains this shard already: what was added since waits for the next turn.
    if isFull, drainLocks.tryLock(shard) {
      if let batch = take(from: shard) {
        RCU.synchronize()
        finish([batch])
      }
      drainLocks.unlock(shard)
    }
    if isLookDue { heldBack.look(mustWait: false, free) }
    objects.releaseAll()
  }

  private func dueWork(of index: Int) -> (isFull: Bool, isLookDue: Bool) {
    pendingLocks.lock(index)
    defer { pendingLocks.unlock(index) }
    let shard = shards + index
    var isLookDue = false
    if heldBack.count > 0 {
      shard.pointee.callsSinceLook += 1
      isLookDue = heldBack.isLookDue(after: shard.pointee.callsSinceLook)
      if isLookDue { shard.pointee.callsSinceLook = 0 }
    }
    return (shard.pointee.count >= Self.batch, isLookDue)
  }

  /// Frees the memory among what was enqueued before the call, on any thread, with one grace period. Its objects become ready.
  ///
  /// Releases nothing (f), so a thread that holds the mmap lock may call it.
  ///
  /// - Precondition: not inside a section.
  func reclaim() {
    RCU.requireNoSection()
    for index in 0..<Self.shardCount { drainLocks.lock(index) }
    defer { for index in 0..<Self.shardCount { drainLocks.unlock(index) } }
    let batches = (0..<Self.shardCount).compactMap { take(from: $0) }
    // What is held back has had its grace period.
    heldBack.look(mustWait: true, free)
    if batches.isEmpty { return }
    RCU.synchronize()
    finish(batches)
  }

  /// Frees and releases what was enqueued before the call, and what that defers on this thread in turn. Waits for no other
  /// thread's releases. Returns whether an object was released.
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
    } while pendingCount(of: ownShard) > 0
    return hasReleased
  }

  /// Frees and releases everything that was enqueued before the call (c), and the chains on it that this thread meets.
  ///
  /// - Precondition: as `drain`.
  func drainAll() {
    drain()
    objects.waitForRoundsUnderWay()
  }

  /// Frees and releases everything that was enqueued before the call (c), and nothing that was enqueued since: it ends where
  /// closures defer themselves again.
  ///
  /// - Precondition: as `drain`.
  func barrier() {
    reclaim()
    objects.releaseAll()
    objects.waitForRoundsUnderWay()
  }

  /// Frees the memory of batches whose grace period is over, and makes their objects ready. Under their drain locks, so that
  /// a thread that gets those finds either (c).
  private func finish(_ batches: [UnsafeMutableBufferPointer<DeferredWord>]) {
    var ready: [DeferredWord] = []
    for words in batches {
      defer { words.deallocate() }
      // The words of the layers above move to the front.
      var others = 0
      for word in words {
        if word.isTreeNode {
          treeNodes.free(word.pointer)
        } else if word.isObject {
          ready.append(word)
        } else {
          words[others] = word
          others += 1
        }
      }
      if others > 0 { heldBack.add(free(words.span.extracting(0..<others))) }
    }
    objects.append(ready)
  }
}

extension DeferredQueue {
  /// The queue, for users that its owner outlives.
  ///
  /// A trivial value: a call through it writes no reference count, a line that all threads that fault or unmap would share.
  struct Handle: Sendable {
    private let queue: Unmanaged<DeferredQueue>

    fileprivate init(_ queue: DeferredQueue) { self.queue = .passUnretained(queue) }

    func enqueue(_ word: DeferredWord) { queue._withUnsafeGuaranteedRef { $0.enqueue(word) } }
    func enqueue(_ words: Span<DeferredWord>) { queue._withUnsafeGuaranteedRef { $0.enqueue(words) } }
    var isAnythingPending: Bool { queue._withUnsafeGuaranteedRef { $0.isAnythingPending } }
    func waitingWords() -> [DeferredWord] { queue._withUnsafeGuaranteedRef { $0.waitingWords() } }
    var isReleasing: Bool { queue._withUnsafeGuaranteedRef { $0.isReleasing } }
    func drainIfFull() { queue._withUnsafeGuaranteedRef { $0.drainIfFull() } }
    func reclaim() { queue._withUnsafeGuaranteedRef { $0.reclaim() } }
    @discardableResult func drain() -> Bool { queue._withUnsafeGuaranteedRef { $0.drain() } }
    func drainAll() { queue._withUnsafeGuaranteedRef { $0.drainAll() } }

    /// A node of a `COWBTree` with unspecified contents.
    func takeTreeNode() -> UnsafeMutableRawPointer {
      queue._withUnsafeGuaranteedRef { $0.treeNodes.take() ?? $0.treeNodes.make() }
    }

    /// Takes a node back that no reader can be in.
    func freeTreeNode(_ node: UnsafeMutableRawPointer) { queue._withUnsafeGuaranteedRef { $0.treeNodes.free(node) } }
  }
}
