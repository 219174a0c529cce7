import CPlatform
import Synchronization

/// Free frames of RAM.
///
/// Each thread uses a small cache of its own shard. Caches and the depot behind them exchange frames in bulk. So two
/// threads that fault and free share a line once in `transfer` frames. If the depot lacks what is asked for, the thread
/// locks all caches, empties them and asks the depot again. So "none free" is true when it is said. A frame is missed
/// only if its `free` had not returned.
///
/// The last frames of RAM may be movable: then they have a depot, and each thread another cache, of their own. Pages
/// that can be moved come from there as long as it has any, all others never.
///
/// Huge frames, 512 frames in a row that begin at a multiple of 512, come from the depot and go back to it directly.
/// They never come from movable frames.
///
/// The reserve of the watermarks stays in the depot. So an allocation by a thread that does not reclaim fails while so
/// many are free.
///
/// Locks: see <doc:LockOrder>, level 8. All but `gathering` hold the lock of one cache at most.
///
/// Debug builds fill freed frames with `poison` and check the filling when they are given out again. A store through a
/// stale entry or a pin that was released too early is found there.
final class FrameAllocator: @unchecked Sendable {
  static let poison: UInt8 = 0x6b
  static let cacheSize = 128
  static let transfer = 64
  static let shardCount = 64

  let first: PFN
  let count: Int
  private let table: FrameTable
  // Guarded by the lock of the same index.
  private let caches: UnsafeMutablePointer<UInt32>
  private let locks = LockArray(count: shardCount)
  private let depot: FrameDepot
  /// What of RAM is movable, or nil if nothing is.
  private let movable: FrameDepot?
  /// The first movable frame, or the end of RAM if there is none.
  private let movableStart: PFN

  /// A thread's frames: a word that counts them, and a stack of as many.
  private struct Cache {
    // Words of ten lines: neighbours share none.
    static let stride = 160

    let words: UnsafeMutablePointer<UInt32>

    var count: Int {
      get { Int(words.pointee) }
      nonmutating set { words.pointee = UInt32(truncatingIfNeeded: newValue) }
    }
    var frames: UnsafeMutablePointer<UInt32> { words + 1 }

    func push(_ pfn: PFN) {
      frames[count] = UInt32(truncatingIfNeeded: pfn.rawValue)
      count += 1
    }

    func pop() -> PFN? {
      if count == 0 { return nil }
      count -= 1
      return PFN(UInt64(frames[count]))
    }
  }

  let watermarks: Watermarks
  let partlyMapped = PartlyMappedFrames()

  /// Manages the `count` frames from `first` on, all free.
  init(table: FrameTable, first: PFN, count: Int, movable movableCount: Int, watermarks: Watermarks) {
    self.watermarks = watermarks
    self.table = table
    self.first = first
    self.count = count
    caches = ZeroedMemory.allocate(2 * Self.shardCount * Cache.stride)
    // Descriptors of zeroes are those of free frames: nothing is written for each.
    depot = FrameDepot(first: first, count: count - movableCount, watermarks: watermarks)
    movableStart = first + (count - movableCount)
    let skipped = (count - movableCount) % FrameDepot.blockSize
    // Low if it is empty: then the watermark of the other depot tells.
    movable =
      movableCount == 0
      ? nil
      : FrameDepot(
        first: movableStart + -skipped, count: movableCount + skipped, skipped: skipped,
        watermarks: Watermarks(min: 0, low: watermarks.low > 0 ? 1 : 0, high: 0))
  }

  deinit {
    ZeroedMemory.release(caches, count: 2 * Self.shardCount * Cache.stride)
    locks.release()
  }

  /// Whether a frame is one of RAM.
  func manages(_ pfn: PFN) -> Bool { pfn >= first && pfn < first + count }

  /// Frames of RAM that may have been given out since the machine was made, in order, from each range of whole blocks
  /// the beginning. O(1).
  var usedSinceBirth: [Range<PFN>] {
    func ranges(_ depot: FrameDepot, _ start: PFN, _ end: PFN) -> [Range<PFN>] {
      let base = start.hugeStart
      let touched = max(min(base + depot.touchedCount, end), start)
      let tail = max(end.hugeStart, touched)
      return [start..<touched, tail..<max(end, tail)]
    }
    let end = first + count
    return ranges(depot, first, movableStart) + (movable.map { ranges($0, movableStart, end) } ?? [])
  }

  private var ownShard: Int { Int(cp_thread_index()) & (Self.shardCount - 1) }

  @inline(__always)
  private func cache(_ shard: Int, movable: Bool = false) -> Cache {
    let index = movable ? Self.shardCount + shard : shard
    return Cache(words: caches + index * Cache.stride)
  }

  /// Whether some of the frames are movable, free or not.
  var hasMovableFrames: Bool { movable != nil }

  /// Whether fewer frames may be free than the low watermark. A hint, one relaxed load.
  var isLow: Bool { depot.isLow && (movable?.isLow ?? true) }

  /// Frames that are free now, brought together in the depot first, so that `isLow` tells the truth. O(shards).
  func gatheredCount() -> Int { gathering { depot.count + (movable?.count ?? 0) } }

  /// A free frame, with no references and unspecified contents, or nil if there is none. O(1), any thread.
  ///
  /// - Parameters:
  ///   - movable: whether the frame may be a movable one. Such a frame is preferred.
  ///   - fromReserve: whether the reserve may be taken from, for a thread that reclaims.
  func allocate(movable isMovable: Bool = false, fromReserve: Bool = false) -> PFN? {
    if isMovable, let movable, let pfn = allocate(from: movable) { return pfn }
    if let pfn = allocate(from: depot) { return pfn }
    return fromReserve ? takeFromReserve().map(begin) : nil
  }

  /// As `allocate`, but from the calling thread's cache alone. Returns nil if that has none or another thread has its
  /// lock. Waits for nothing.
  ///
  /// - Parameter movable: whether the frame is a movable one, where some are.
  func allocateCached(movable isMovable: Bool) -> PFN? {
    let shard = ownShard
    guard locks.tryLock(shard) else { return nil }
    let own = cache(shard, movable: isMovable && movable != nil).pop()
    locks.unlock(shard)
    return own.map(begin)
  }

  /// One frame only: what is left of the reserve stays in the depot.
  private func takeFromReserve() -> PFN? {
    var number: UInt32 = 0
    return depot.take(1, to: &number, fromReserve: true) == 1 ? PFN(UInt64(number)) : nil
  }

  private func allocate(from depot: FrameDepot) -> PFN? {
    let shard = ownShard
    let cache = cache(shard, movable: depot === movable)
    locks.lock(shard)
    if cache.count == 0 { refill(cache, from: depot) }
    let own = cache.pop()
    locks.unlock(shard)
    if let own { return begin(own) }
    let other = gathering {
      refill(cache, from: depot)
      return cache.pop()
    }
    return other.map(begin)
  }

  /// 512 frames in a row that begin at a multiple of 512, with no references and unspecified contents. Returns nil if
  /// no such block is free as a whole. O(512), any thread. Waits for no grace period.
  ///
  /// From then on each is a frame like any other: they may be freed one by one as well as by `freeHuge`.
  func allocateHuge() -> PFN? {
    guard let first = depot.takeBlock() ?? gathering({ depot.takeBlock() }) else { return nil }
    for index in 0..<Page.pagesPerHuge { _ = begin(first + index) }
    return first
  }

  /// Takes back the 512 frames from `first` on. Their last references are gone.
  ///
  /// - Precondition: `first` is a multiple of 512. It need not have come from `allocateHuge`.
  func freeHuge(_ first: PFN) {
    partlyMapped.remove(table.frame(first))
    for index in 0..<Page.pagesPerHuge { end(first + index) }
    depot.putBlock(first)
  }

  /// Takes back a frame after its last reference.
  func free(_ pfn: PFN) {
    let one: InlineArray<1, PFN> = [pfn]
    free(one.span)
  }

  /// Takes back frames after their last references, with the lock taken once.
  func free(_ pfns: Span<PFN>) {
    for index in pfns.indices { end(pfns[index]) }
    if depot.isShort { return refillReserve(pfns) }
    let shard = ownShard
    locks.lock(shard)
    defer { locks.unlock(shard) }
    for index in pfns.indices {
      let isMovable = pfns[index] >= movableStart
      let cache = cache(shard, movable: isMovable)
      if cache.count == Self.cacheSize { spill(cache, to: isMovable ? movable! : depot) }
      cache.push(pfns[index])
    }
  }

  /// Puts freed frames into the depots: the reserve comes first.
  private func refillReserve(_ pfns: Span<PFN>) {
    for index in pfns.indices {
      var number = UInt32(truncatingIfNeeded: pfns[index].rawValue)
      (pfns[index] >= movableStart ? movable! : depot).put(&number, count: 1)
    }
  }

  private func end(_ pfn: PFN) {
    let frame = table.frame(pfn)
    assert(frame.references == 0 && frame.mapCount == 0, "a frame was freed that is referenced or mapped")
    precondition(frame.has(Frame.allocatedBit), "a frame was freed twice")
    #if DEBUG
      table.bytes(of: pfn).fill(Self.poison)
      frame.descriptor.pointee.state.store(Frame.poisonedBit, ordering: .relaxed)
    #else
      frame.descriptor.pointee.state.store(0, ordering: .relaxed)
    #endif
  }

  /// Frames that are free now. Exact if no thread allocates or frees meanwhile. O(shards).
  var freeCount: Int {
    var total = depot.count + (movable?.count ?? 0)
    for index in 0..<Self.shardCount {
      locks.lock(index)
      total += cache(index).count + cache(index, movable: true).count
      locks.unlock(index)
    }
    return total
  }

  private func begin(_ pfn: PFN) -> PFN {
    #if DEBUG
      let frame = table.frame(pfn)
      if frame.has(Frame.poisonedBit), let offset = table.bytes(of: pfn).firstOther(than: Self.poison) {
        fatalError("\(pfn) was written to at byte \(offset) after it was freed")
      }
    #endif
    table.frame(pfn).descriptor.pointee.state.store(Frame.allocatedBit, ordering: .relaxed)
    return pfn
  }

  private func refill(_ cache: Cache, from depot: FrameDepot) {
    // The lowest number on top: a small working set stays together.
    cache.count = depot.take(Self.transfer, to: cache.frames)
  }

  private func spill(_ cache: Cache, to depot: FrameDepot) {
    cache.count = Self.cacheSize - Self.transfer
    depot.put(cache.frames + cache.count, count: Self.transfer)
  }

  private func empty(_ cache: Cache, into depot: FrameDepot) {
    if cache.count > 0 { depot.put(cache.frames, count: cache.count) }
    cache.count = 0
  }

  /// What `take` finds while all that is free lies in the depot. Where it finds nothing, there is nothing.
  private func gathering<Result>(_ take: () -> Result) -> Result {
    for index in 0..<Self.shardCount { locks.lock(index) }
    defer { for index in 0..<Self.shardCount { locks.unlock(index) } }
    for index in 0..<Self.shardCount {
      empty(cache(index), into: depot)
      if let movable { empty(cache(index, movable: true), into: movable) }
    }
    return take()
  }
}
