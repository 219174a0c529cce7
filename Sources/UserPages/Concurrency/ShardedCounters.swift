import CPlatform
import Synchronization

/// Four counters that many threads add to and few read, and four sources of numbers.
///
/// Each thread adds to a cache line of its own, without a read-modify-write. Only threads beyond the 63rd share one.
@frozen @usableFromInline
struct ShardedCounters: @unchecked Sendable {
  @usableFromInline static let shardCount = 64
  @usableFromInline static let stride = 8

  // 64 lines of eight words, freed by the owner.
  @usableFromInline let words: UnsafeMutablePointer<Atomic<UInt64>>

  init() {
    let bytes = Self.shardCount * Self.stride * MemoryLayout<UInt64>.stride
    let memory = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 64)
    memory.initializeMemory(as: UInt8.self, repeating: 0, count: bytes)
    words = memory.assumingMemoryBound(to: Atomic<UInt64>.self)
  }

  /// Frees the memory. No thread may add any more.
  func release() { UnsafeMutableRawPointer(words).deallocate() }

  /// Adds to counter `index` (0...3).
  @inlinable @inline(__always)
  func add(_ amount: UInt64, to index: Int) { add(amount, to: index, thread: cp_thread_index()) }

  /// Adds to counter `index` (0...3), for a caller that knows its thread's number already.
  @inlinable @inline(__always)
  func add(_ amount: UInt64, to index: Int, thread: Int32) {
    let thread = Int(thread)
    if _fastPath(thread < Self.shardCount - 1) {
      // Only this thread writes here, so a load and a store do.
      let word = words + (thread &* Self.stride &+ index)
      word.pointee.store(word.pointee.load(ordering: .relaxed) &+ amount, ordering: .relaxed)
    } else {
      (words + ((Self.shardCount - 1) &* Self.stride &+ index)).pointee.wrappingAdd(amount, ordering: .relaxed)
    }
  }

  /// A number that no other call returns for `index` (4...7). Greater than 0.
  func next(_ index: Int) -> UInt64 {
    let shard = min(Int(cp_thread_index()), Self.shardCount - 1)
    let word = words + (shard &* Self.stride &+ index)
    let turn = word.pointee.wrappingAdd(1, ordering: .relaxed).newValue
    return turn &* UInt64(Self.shardCount) &+ UInt64(shard)
  }

  /// The sum over all threads. Exact while no thread adds.
  func total(_ index: Int) -> Int {
    var total: UInt64 = 0
    for shard in 0..<Self.shardCount { total &+= words[shard * Self.stride + index].load(ordering: .relaxed) }
    return Int(truncatingIfNeeded: total)
  }
}
