import CPlatform
import Glibc

/// A blocking lock for many readers or one writer, in which a waiting writer goes before new readers (Linux's rwsem).
///
/// The mmap lock is one. It may be held over a whole operation, a grace period included, so no thread waits for it
/// inside a read-side section. The other locks here are held for some instructions: see `LockArray`.
///
/// It is a `pthread_rwlock_t`, because sanitizers know it and because it costs what the kernel's does. To enter as a
/// reader takes one atomic read-modify-write on a shared line, and so does to leave.
final class ReadWriteLock: @unchecked Sendable {
  // Raw memory: a pthread lock must not move. Lines of its own: threads that take different locks do not meet.
  private let lock: UnsafeMutablePointer<pthread_rwlock_t>
  private static let line = 64

  init() {
    let bytes = (MemoryLayout<pthread_rwlock_t>.size + Self.line - 1) & ~(Self.line - 1)
    lock = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: Self.line)
      .bindMemory(to: pthread_rwlock_t.self, capacity: 1)
    var attributes = pthread_rwlockattr_t()
    pthread_rwlockattr_init(&attributes)
    // Not recursive: no operation takes the lock twice, and only this kind prefers writers.
    pthread_rwlockattr_setkind_np(&attributes, Int32(PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP))
    pthread_rwlock_init(lock, &attributes)
    pthread_rwlockattr_destroy(&attributes)
  }

  deinit {
    pthread_rwlock_destroy(lock)
    UnsafeMutableRawPointer(lock).deallocate()
  }

  func lockForReading() {
    // A forked child would wait for a holder that did not come along.
    cp_check_not_forked()
    pthread_rwlock_rdlock(lock)
  }

  func lockForWriting() {
    cp_check_not_forked()
    pthread_rwlock_wrlock(lock)
  }

  func unlock() { pthread_rwlock_unlock(lock) }

  @inline(__always)
  func reading<Result, Failure: Error>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
    lockForReading()
    defer { unlock() }
    return try body()
  }

  @inline(__always)
  func writing<Result, Failure: Error>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
    lockForWriting()
    defer { unlock() }
    return try body()
  }
}
