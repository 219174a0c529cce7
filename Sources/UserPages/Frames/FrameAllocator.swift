import CLiburcu
import Synchronization

/// Free frames of RAM.
///
/// Each thread takes from and gives to a small cache of its own shard; caches and the depot behind them exchange frames
/// in bulk, so two threads that fault and free share a line once in `transfer` frames. When the depot is empty the other
/// caches are searched, so that "none free" is true when it is said.
///
/// Debug builds fill freed frames with `poison` and check the filling when they are given out again: a store through a
/// stale entry or a pin that was released too early is found there.
final class FrameAllocator: @unchecked Sendable {
  static let poison: UInt8 = 0x6b
  static let cacheSize = 128
  static let transfer = 64
  static let shardCount = 64

  let first: PFN
  let count: Int
  private let table: FrameTable
  // Raw memory: caches of neighbours must not share a line. Guarded by the lock of the same index.
  private let caches: UnsafeMutablePointer<Cache>
  private let locks = LockArray(count: shardCount)
  private let depotLock = FutexLock()
  // Guarded by `depotLock`.
  private let depot: UnsafeMutablePointer<UInt32>
  private var depotCount: Int

  private struct Cache: ~Copyable {
    var count: Int32 = 0
    var frames = InlineArray<128, UInt32>(repeating: 0)
    private let padding: InlineArray<15, UInt64> = .init(repeating: 0)
  }

  /// Manages the `count` frames from `first` on, all free.
  init(table: FrameTable, first: PFN, count: Int) {
    self.table = table
    self.first = first
    self.count = count
    caches = .allocate(capacity: Self.shardCount)
    for index in 0..<Self.shardCount { (caches + index).initialize(to: Cache()) }
    depot = .allocate(capacity: max(count, 1))
    // Lowest numbers on top: a small working set stays together.
    for index in 0..<count { depot[index] = UInt32(truncatingIfNeeded: first.rawValue) + UInt32(count - 1 - index) }
    depotCount = count
    for index in 0..<count {
      table.frame(first + index).descriptor.pointee.state.store(Frame.freeBit, ordering: .relaxed)
    }
  }

  deinit {
    caches.deinitialize(count: Self.shardCount)
    caches.deallocate()
    locks.release()
    depot.deallocate()
  }

  private var ownShard: Int { Int(clu_thread_index()) & (Self.shardCount - 1) }

  /// A free frame, with no references and unspecified contents; nil where there is none. O(1), any thread.
  func allocate() -> PFN? {
    let shard = ownShard
    let cache = caches + shard
    locks.lock(shard)
    if cache.pointee.count == 0 { refill(cache) }
    if cache.pointee.count > 0 {
      cache.pointee.count -= 1
      let pfn = PFN(UInt64(cache.pointee.frames[Int(cache.pointee.count)]))
      locks.unlock(shard)
      return begin(pfn)
    }
    locks.unlock(shard)
    return steal().map(begin)
  }

  /// Takes back a frame whose last reference is gone.
  func free(_ pfn: PFN) {
    let one: InlineArray<1, PFN> = [pfn]
    free(one.span)
  }

  /// Takes back frames whose last references are gone, with the lock taken once.
  func free(_ pfns: Span<PFN>) {
    for index in pfns.indices { end(pfns[index]) }
    let shard = ownShard
    let cache = caches + shard
    locks.lock(shard)
    defer { locks.unlock(shard) }
    for index in pfns.indices {
      if Int(cache.pointee.count) == Self.cacheSize { spill(cache) }
      cache.pointee.frames[Int(cache.pointee.count)] = UInt32(truncatingIfNeeded: pfns[index].rawValue)
      cache.pointee.count += 1
    }
  }

  private func end(_ pfn: PFN) {
    let frame = table.frame(pfn)
    assert(frame.references == 0 && frame.mapCount == 0, "a frame was freed that somebody uses")
    precondition(!frame.has(Frame.freeBit), "a frame was freed twice")
    #if DEBUG
      table.bytes(of: pfn).fill(Self.poison)
      frame.descriptor.pointee.state.store(Frame.freeBit | Frame.poisonedBit, ordering: .relaxed)
    #else
      frame.descriptor.pointee.state.store(Frame.freeBit, ordering: .relaxed)
    #endif
  }

  /// Frames that are free now. Exact when nobody allocates or frees meanwhile.
  var freeCount: Int {
    depotLock.lock()
    var total = depotCount
    depotLock.unlock()
    for index in 0..<Self.shardCount {
      locks.lock(index)
      total += Int(caches[index].count)
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
    table.frame(pfn).descriptor.pointee.state.store(0, ordering: .relaxed)
    return pfn
  }

  // Lock order: a cache, then the depot. No two caches are ever held together.

  private func refill(_ cache: UnsafeMutablePointer<Cache>) {
    depotLock.lock()
    defer { depotLock.unlock() }
    let moved = min(Self.transfer, depotCount)
    for index in 0..<moved { cache.pointee.frames[index] = depot[depotCount - moved + index] }
    depotCount -= moved
    cache.pointee.count = Int32(moved)
  }

  private func spill(_ cache: UnsafeMutablePointer<Cache>) {
    depotLock.lock()
    defer { depotLock.unlock() }
    let kept = Self.cacheSize - Self.transfer
    for index in kept..<Self.cacheSize {
      depot[depotCount] = cache.pointee.frames[index]
      depotCount += 1
    }
    cache.pointee.count = Int32(kept)
  }

  private func steal() -> PFN? {
    for index in 0..<Self.shardCount {
      let cache = caches + index
      locks.lock(index)
      defer { locks.unlock(index) }
      if cache.pointee.count > 0 {
        cache.pointee.count -= 1
        return PFN(UInt64(cache.pointee.frames[Int(cache.pointee.count)]))
      }
    }
    return nil
  }
}

/// Frames to free gathered in a row, so that the allocator's lock is taken once for all of them.
struct FrameBatch: ~Copyable {
  private static let capacity = 64

  private var pfns = InlineArray<64, PFN>(repeating: PFN(0))
  private var count = 0

  init() {}

  deinit { precondition(count == 0, "a batch of frames was dropped") }

  mutating func add(_ pfn: PFN, for allocator: FrameAllocator) {
    if count == Self.capacity { flush(to: allocator) }
    pfns[count] = pfn
    count += 1
  }

  mutating func flush(to allocator: FrameAllocator) {
    if count > 0 { allocator.free(pfns.span.extracting(0..<count)) }
    count = 0
  }
}
