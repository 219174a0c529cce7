/// Futex locks by index, each in a cache line of its own: for the shards of something.
///
/// When to use which lock:
/// - `FutexLock`: one lock, held for some tens of instructions. It must not move, so it lives in a class or in raw
///   memory.
/// - `LockArray`: many of those. Neighbours share no cache line.
/// - `Guarded`: a `FutexLock` together with the value that it guards, for what changes too seldom to be worth a
///   protocol.
/// - `Monitor`: a lock with a condition to wait for. Its holder may sleep until another thread has done something.
/// - `ReadWriteLock`: many readers or one writer, held over a whole operation. The mmap lock.
///
/// The locks lie apart from what they guard. A change of a field through a pointer is, formally, an access to the whole
/// variable behind it. ThreadSanitizer reports a race if another thread tries a lock in the same variable.
struct LockArray: @unchecked Sendable {
  private struct PaddedLock: ~Copyable {
    let lock = FutexLock()
    private let padding: InlineArray<15, UInt32> = .init(repeating: 0)
  }

  // Freed by the owner, after the last lock was released.
  private let locks: UnsafeMutablePointer<PaddedLock>
  private let count: Int

  init(count: Int) {
    self.count = count
    locks = .allocate(capacity: count)
    for index in 0..<count { (locks + index).initialize(to: PaddedLock()) }
  }

  /// Frees the memory. No thread may lock any more.
  func release() {
    locks.deinitialize(count: count)
    locks.deallocate()
  }

  @inline(__always) func lock(_ index: Int) { locks[index].lock.lock() }
  @inline(__always) func tryLock(_ index: Int) -> Bool { locks[index].lock.tryLock() }
  @inline(__always) func unlock(_ index: Int) { locks[index].lock.unlock() }
}
