/// Blocks of memory of one size that are used again: nodes that every change of a mapping makes and frees.
///
/// Each thread keeps the blocks that it freed, in a list threaded through the blocks' first words, and takes from there: no
/// lock and no atomic addition. Only threads beyond the 63rd share a list. A list holds at most `limit` blocks; a further one
/// goes back to the system.
///
/// ORDERING [thread-number]: a list belongs to a thread's number, and needs no more than that to be handed on with it.
final class FreeListPool: @unchecked Sendable {
  private static let shardCount = 64

  let bytes: Int
  private let alignment: Int
  private let limit: Int
  // Raw memory: neighbours must not share a line. The last one is the shared one, guarded by `sharedLock`.
  private let shards: UnsafeMutablePointer<Shard>
  private let sharedLock = FutexLock()
  /// Counter 0: blocks taken minus blocks given back. Apart from the shards, because other threads read it.
  private let out = ShardedCounters()

  private struct Shard {
    var first: UnsafeMutableRawPointer?
    var count = 0
    private let padding: InlineArray<14, UInt64> = .init(repeating: 0)
  }

  /// - Parameters:
  ///   - bytes: the size of a block, at least a word.
  ///   - limit: how many free blocks a thread keeps.
  init(bytes: Int, alignment: Int, limit: Int) {
    self.bytes = bytes
    self.alignment = alignment
    self.limit = limit
    shards = .allocate(capacity: Self.shardCount)
    for index in 0..<Self.shardCount { (shards + index).initialize(to: Shard()) }
  }

  deinit {
    for index in 0..<Self.shardCount {
      while let block = pop(shards + index) { block.deallocate() }
    }
    shards.deallocate()
    out.release()
  }

  /// Takes a block that was freed before, as it was left but for its first word. Returns nil if there is none.
  ///
  /// Either way a block counts as taken: after nil the caller takes a new one from `make`.
  @inline(__always)
  func take() -> UnsafeMutableRawPointer? {
    out.add(1, to: 0)
    return withShard { pop($0) }
  }

  /// Makes a new block, for a caller that `take` gave none.
  @inline(never)
  func make() -> UnsafeMutableRawPointer { .allocate(byteCount: bytes, alignment: alignment) }

  /// Gives a block back.
  @inline(__always)
  func free(_ block: UnsafeMutableRawPointer) {
    out.add(.max, to: 0)
    let kept = withShard { shard in
      guard shard.pointee.count < limit else { return false }
      block.storeBytes(of: UInt(bitPattern: shard.pointee.first), as: UInt.self)
      shard.pointee.first = block
      shard.pointee.count += 1
      return true
    }
    if !kept { block.deallocate() }
  }

  /// Blocks that are taken and not given back. Exact while no thread takes or frees.
  var inUse: Int { out.total(0) }

  @inline(__always)
  private func withShard<Result>(_ body: (UnsafeMutablePointer<Shard>) -> Result) -> Result {
    let thread = Int(ThreadNumber.current)
    if _fastPath(thread < Self.shardCount - 1) { return body(shards + thread) }
    sharedLock.lock()
    defer { sharedLock.unlock() }
    return body(shards + (Self.shardCount - 1))
  }

  @inline(__always)
  private func pop(_ shard: UnsafeMutablePointer<Shard>) -> UnsafeMutableRawPointer? {
    guard let block = shard.pointee.first else { return nil }
    shard.pointee.first = UnsafeMutableRawPointer(bitPattern: block.load(as: UInt.self))
    shard.pointee.count -= 1
    return block
  }
}
