/// Locks for the shards of something, a cache line each, in memory of their own: locks must not move.
///
/// They lie apart from what they guard. A change of a field through a pointer is, formally, an access to the whole variable
/// behind it, and ThreadSanitizer says so when another thread tries a lock in the same variable.
struct LockArray: @unchecked Sendable {
  private struct PaddedLock: ~Copyable {
    let lock = FutexLock()
    private let padding: InlineArray<15, UInt32> = .init(repeating: 0)
  }

  // Freed by the owner, when nobody locks any more.
  private let locks: UnsafeMutablePointer<PaddedLock>
  private let count: Int

  init(count: Int) {
    self.count = count
    locks = .allocate(capacity: count)
    for index in 0..<count { (locks + index).initialize(to: PaddedLock()) }
  }

  /// Frees the memory.
  func release() {
    locks.deinitialize(count: count)
    locks.deallocate()
  }

  @inline(__always) func lock(_ index: Int) { locks[index].lock.lock() }
  @inline(__always) func tryLock(_ index: Int) -> Bool { locks[index].lock.tryLock() }
  @inline(__always) func unlock(_ index: Int) { locks[index].lock.unlock() }
}
