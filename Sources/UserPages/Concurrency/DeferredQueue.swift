import CPlatform
import Synchronization

/// What may be freed after a grace period, gathered so that one grace period serves many.
///
/// Words are appended to the calling thread's shard and freed in batches. The life of a word:
///
///     writer                          queue                             readers that may still see it
///     makes the thing unreachable
///     enqueue(word) ---------------->  shard.pending                     sections open before the unlinking
///                                      drain: takes the batch
///                                      a whole grace period  <--------   all of them have ended
///                                      free(batch)
///
/// ORDERING [deferred-free]: a word is in the batch before the batch's grace period starts (the shard's lock orders the
/// append before the take), so a section that could have met the thing began before the grace period and has ended when
/// `free` runs.
///
/// Draining waits for a grace period and so must not happen inside a read-side section. Nobody is made to drain while
/// holding a lock: `enqueue` never does, callers call `drainIfFull` when they hold nothing.
final class DeferredQueue: @unchecked Sendable {
  /// Words that a shard gathers before `drainIfFull` finds it worth a grace period.
  static let batch = 512
  /// Shards; a power of two. Threads beyond that many share.
  static let shardCount = 64

  /// Where the nodes of range trees come from and go to. A thread keeps as many as two batches can bring.
  let treeNodes = FreeListPool(
    bytes: MemoryLayout<COWBTree.NodeBody>.stride, alignment: MemoryLayout<COWBTree.NodeBody>.alignment,
    limit: 2 * batch)

  /// What everybody but the owner holds.
  var handle: Handle { Handle(self) }

  private let free: @Sendable (Span<DeferredWord>) -> [DeferredWord]
  // Raw memory: each shard is used by other threads than the one that changes another; freed with the queue.
  private let shards: UnsafeMutablePointer<Shard>
  private let pendingLocks = LockArray(count: shardCount)
  /// Held from the take to the end of `free`, so that `drainAll` can wait for a batch in flight.
  private let drainLocks = LockArray(count: shardCount)

  /// - Parameter free: gets the words of the layers above, a batch at a time, after their grace period, on the draining
  ///   thread; returns those that cannot be freed yet. They wait for the next drain.
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
    private let padding: InlineArray<13, UInt64> = .init(repeating: 0)

    deinit {
      precondition(count == 0, "a queue of deferred frees was dropped with work in it: somebody still pins")
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

  /// Whether something waits at this moment, on any thread.
  var isAnythingPending: Bool { (0..<Self.shardCount).contains { pendingCount(of: $0) > 0 } }

  private var ownShard: Int { Int(cp_thread_index()) & (Self.shardCount - 1) }

  /// Adds a word. Wait-free but for the shard's lock, which only a drain of the same shard contends for.
  func enqueue(_ word: DeferredWord) {
    let one: InlineArray<1, DeferredWord> = [word]
    append(one.span, to: ownShard)
  }

  /// Adds words, as `enqueue` of each.
  func enqueue(_ words: Span<DeferredWord>) { append(words, to: ownShard) }

  /// Drains the calling thread's shard if it has gathered a batch.
  ///
  /// - Precondition: the caller holds no lock and is not inside a read-side section.
  func drainIfFull() {
    let shard = ownShard
    guard pendingCount(of: shard) >= Self.batch, !RCU.isReading else { return }
    // Someone else drains this shard already: what we added waits for the next turn.
    guard drainLocks.tryLock(shard) else { return }
    defer { drainLocks.unlock(shard) }
    guard let words = take(from: shard) else { return }
    RCU.synchronize()
    for word in finish(words) { enqueue(word) }
  }

  /// Frees everything that was enqueued before the call, on any thread, with one grace period.
  ///
  /// - Precondition: not inside a read-side section.
  func drainAll() {
    // Shards are locked in index order; a drain of one shard holds one lock only: no cycle.
    for index in 0..<Self.shardCount { drainLocks.lock(index) }
    defer { for index in 0..<Self.shardCount { drainLocks.unlock(index) } }
    var kept: [DeferredWord] = []
    defer { for word in kept { enqueue(word) } }
    var batches = (0..<Self.shardCount).compactMap { take(from: $0) }
    while !batches.isEmpty {
      RCU.synchronize()
      for words in batches { kept += finish(words) }
      // Freeing may defer again (a mapping that held the last user of a file), on this thread: until nothing is left. What
      // other threads defer meanwhile is not waited for: that could last for ever.
      batches = take(from: ownShard).map { [$0] } ?? []
    }
  }

  private func finish(_ words: UnsafeMutableBufferPointer<DeferredWord>) -> [DeferredWord] {
    defer { words.deallocate() }
    // The words of the layers above move to the front.
    var others = 0
    for word in words where !word.freeHere(treeNodes: treeNodes) {
      words[others] = word
      others += 1
    }
    return others == 0 ? [] : free(words.span.extracting(0..<others))
  }
}

extension DeferredQueue {
  /// The queue for those whom its owner outlives. A trivial value: a call through it writes no reference count, a line that
  /// all threads that fault or unmap would share.
  struct Handle: Sendable {
    private let queue: Unmanaged<DeferredQueue>

    fileprivate init(_ queue: DeferredQueue) { self.queue = .passUnretained(queue) }

    func enqueue(_ word: DeferredWord) { queue._withUnsafeGuaranteedRef { $0.enqueue(word) } }
    func enqueue(_ words: Span<DeferredWord>) { queue._withUnsafeGuaranteedRef { $0.enqueue(words) } }
    var isAnythingPending: Bool { queue._withUnsafeGuaranteedRef { $0.isAnythingPending } }
    func drainIfFull() { queue._withUnsafeGuaranteedRef { $0.drainIfFull() } }
    func drainAll() { queue._withUnsafeGuaranteedRef { $0.drainAll() } }

    /// A node of a range tree with unspecified contents.
    func takeTreeNode() -> UnsafeMutableRawPointer {
      queue._withUnsafeGuaranteedRef { $0.treeNodes.take() ?? $0.treeNodes.make() }
    }

    /// Takes a node back that no reader can be in.
    func freeTreeNode(_ node: UnsafeMutableRawPointer) { queue._withUnsafeGuaranteedRef { $0.treeNodes.free(node) } }
  }
}
