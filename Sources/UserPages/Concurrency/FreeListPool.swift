/// Blocks of memory of one size that are used again: nodes that every change of a mapping makes and frees.
///
/// Each thread keeps two stacks of free blocks and takes from them: no lock and no atomic addition. Only threads beyond
/// the 63rd share a pair. Full stacks go to a depot, whole, and come from there (Bonwick's magazines). So a block that
/// another thread has freed is used again too, at the price of one lock for a stack of them:
///
///     a thread frees           its stacks                   the depot             a thread takes
///     pushes           ---->   top, up to `stackSize`
///     top is full              below <- top, top <- empty
///     both are full            top <- empty, below <- top
///                              the old below   --------->   full stacks  ----->   both of its own are empty
///     the depot is full: the blocks go back to the system
///
/// ORDERING [thread-number]: the stacks belong to a thread's number, and need no more than that to be handed on with
/// it. What goes through the depot is ordered by its lock.
final class FreeListPool: @unchecked Sendable {
  /// Blocks of a full stack.
  static let stackSize = 64
  /// What the depot keeps at most, in bytes.
  static let depotBytes = 4 << 20
  private static let shardCount = 64
  private static let systemPage = 4096
  /// Blocks of whole pages that are mapped at once. They take room as they are used.
  private static let runLength = 16

  let bytes: Int
  private let alignment: Int
  /// Blocks of whole pages are mapped. The heap puts a header before each block, so that a page takes two of its pages.
  private let isMapped: Bool
  // Raw memory: neighbours must not share a line. The last one is the shared one, guarded by `sharedLock`.
  private let shards: UnsafeMutablePointer<Shard>
  private let sharedLock = FutexLock()
  private let depot = Guarded<[Stack]>([])
  /// Counter 0: blocks taken minus blocks given back. Apart from the shards, because other threads read it.
  private let out = ShardedCounters()

  /// Free blocks, linked through their first words.
  private struct Stack {
    private var first: UnsafeMutableRawPointer?
    private(set) var count = 0

    var isFull: Bool { count == FreeListPool.stackSize }

    @inline(__always)
    mutating func push(_ block: UnsafeMutableRawPointer) {
      block.storeBytes(of: UInt(bitPattern: first), as: UInt.self)
      first = block
      count += 1
    }

    @inline(__always)
    mutating func pop() -> UnsafeMutableRawPointer? {
      guard let block = first else { return nil }
      first = UnsafeMutableRawPointer(bitPattern: block.load(as: UInt.self))
      count -= 1
      return block
    }

    /// Gives each block back by `giveBack`.
    mutating func release(_ giveBack: (UnsafeMutableRawPointer) -> Void) { while let block = pop() { giveBack(block) } }
  }

  private struct Shard {
    var top = Stack()
    /// Full or empty.
    var below = Stack()
    /// Mapped blocks that were never taken, side by side. Not in a stack: the link would make each take room.
    var fresh: UnsafeMutableRawPointer?
    var freshCount = 0
    private let padding: InlineArray<10, UInt64> = .init(repeating: 0)
  }

  /// - Parameter bytes: the size of a block, at least a word.
  init(bytes: Int, alignment: Int) {
    self.bytes = bytes
    self.alignment = alignment
    isMapped = bytes % Self.systemPage == 0 && alignment <= Self.systemPage
    shards = ZeroedMemory.allocate(Self.shardCount)
  }

  deinit {
    for index in 0..<Self.shardCount {
      shards[index].top.release(giveBack)
      shards[index].below.release(giveBack)
      if let fresh = shards[index].fresh { ZeroedMemory.release(fresh, bytes: shards[index].freshCount * bytes) }
    }
    depot.withLock { stacks in for index in stacks.indices { stacks[index].release(giveBack) } }
    ZeroedMemory.release(shards, count: Self.shardCount)
    out.release()
  }

  /// Takes a block that was freed before, as it was left but for its first word. Returns nil if there is none.
  @inline(__always)
  func take() -> UnsafeMutableRawPointer? {
    out.add(1, to: 0)
    return withShard { shard in shard.pointee.top.pop() ?? popBelow(shard) }
  }

  /// Makes a new block, for a caller that `take` gave none. The process ends if it lacks the memory.
  func make() -> UnsafeMutableRawPointer {
    guard let block = makeIfPossible() else { fatalError("out of memory for blocks of \(bytes) bytes") }
    return block
  }

  /// Makes a new block, for a caller that `take` gave none. Returns nil if the process lacks the memory, and the pool
  /// is as if `take` had not been called.
  @inline(never)
  func makeIfPossible() -> UnsafeMutableRawPointer? {
    guard isMapped else { return .allocate(byteCount: bytes, alignment: alignment) }
    return withShard { shard in
      guard
        let block = shard.pointee.fresh ?? ZeroedMemory.allocateIfPossible(bytes: Self.runLength * bytes)
      else {
        out.add(.max, to: 0)
        return nil
      }
      let left = (shard.pointee.fresh == nil ? Self.runLength : shard.pointee.freshCount) - 1
      shard.pointee.fresh = left == 0 ? nil : block + bytes
      shard.pointee.freshCount = left
      return block
    }
  }

  private func giveBack(_ block: UnsafeMutableRawPointer) {
    if isMapped { ZeroedMemory.release(block, bytes: bytes) } else { block.deallocate() }
  }

  /// Gives a block back.
  @inline(__always)
  func free(_ block: UnsafeMutableRawPointer) {
    out.add(.max, to: 0)
    withShard { shard in
      if _slowPath(shard.pointee.top.isFull) { makeRoom(shard) }
      shard.pointee.top.push(block)
    }
  }

  /// Blocks that are taken and not given back. Exact while no thread takes or frees.
  var inUse: Int { out.total(0) }

  @inline(never)
  private func popBelow(_ shard: UnsafeMutablePointer<Shard>) -> UnsafeMutableRawPointer? {
    if shard.pointee.below.count == 0, let full = depot.withLock({ $0.popLast() }) { shard.pointee.below = full }
    swap(&shard.pointee.top, &shard.pointee.below)
    return shard.pointee.top.pop()
  }

  /// Empties the top stack, which is full.
  @inline(never)
  private func makeRoom(_ shard: UnsafeMutablePointer<Shard>) {
    var surplus = shard.pointee.below
    shard.pointee.below = shard.pointee.top
    shard.pointee.top = Stack()
    if surplus.count == 0 { return }
    let most = max(Self.depotBytes / (bytes * Self.stackSize), 1)
    let isKept = depot.withLock { stacks in
      guard stacks.count < most else { return false }
      stacks.append(surplus)
      return true
    }
    if !isKept { surplus.release(giveBack) }
  }

  @inline(__always)
  private func withShard<Result>(_ body: (UnsafeMutablePointer<Shard>) -> Result) -> Result {
    let thread = Int(ThreadNumber.current)
    if _fastPath(thread < Self.shardCount - 1) { return body(shards + thread) }
    sharedLock.lock()
    defer { sharedLock.unlock() }
    return body(shards + (Self.shardCount - 1))
  }
}
