/// The lock of a space's mappings (Linux's `mmap_lock`), which lends proof that it is held.
///
/// A function that needs the lock takes a `MmapWriter`, or a `MmapReader` if either way of holding it will do. Neither
/// can be made outside of this file, or kept after the lock is given up, so a call that compiles is made under the
/// lock. They have no size and cost nothing.
///
/// They are copyable, because a copy proves as much. A noncopyable one would not help: Swift 6.3 lets a closure keep
/// it.
final class MmapLock: Sendable {
  private let lock = ReadWriteLock()

  /// Runs `body` with the lock held for reading.
  @inline(__always)
  func reading<Result: ~Copyable, Failure: Error>(
    _ body: (borrowing MmapReader) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    lock.lockForReading()
    defer { lock.unlock() }
    return try body(MmapReader())
  }

  /// Runs `body` with the lock held for writing. Inside a read-side section it traps: the thread that holds the lock
  /// now may wait for a grace period, which would never end.
  @inline(__always)
  func writing<Result, Failure: Error>(
    _ body: (borrowing MmapWriter) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    RCU.requireNoSection()
    lock.lockForWriting()
    defer { lock.unlock() }
    return try body(MmapWriter())
  }

  /// Waits until no writer holds the lock.
  func waitForWriter() { reading { _ in } }

  /// Runs `body` without the lock, which the calling thread holds for reading, and takes it again. The proof that
  /// `reading` has lent proves nothing meanwhile. For the faults of engine `locked` alone, which hold it over calls of
  /// a backing otherwise.
  @inline(__always)
  func withoutReading<Result, Failure: Error>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
    lock.unlock()
    defer { lock.lockForReading() }
    return try body()
  }
}

/// Proof that the calling thread holds a space's mmap lock, for reading or for writing.
struct MmapReader: ~Escapable, NodeGuard {
  @_lifetime(immortal)
  fileprivate init() {}
}

/// Proof that the calling thread holds a space's mmap lock for writing: no other operation is under way.
struct MmapWriter: ~Escapable, NodeGuard {
  @_lifetime(immortal)
  fileprivate init() {}

  /// The same proof for functions that only read.
  var reader: MmapReader {
    @_lifetime(copy self) get { MmapReader() }
  }
}
