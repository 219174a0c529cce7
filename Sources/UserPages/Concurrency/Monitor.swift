import CPlatform
import Glibc

/// A lock with a condition to wait for, for work that one thread hands to another.
///
/// Use it where a thread must sleep until another has changed something. If no thread waits, `FutexLock` and `Guarded`
/// are smaller.
///
/// It is a `pthread_mutex_t` and a `pthread_cond_t`, because sanitizers know them. What a holder did comes before what
/// the next holder does. A waiting thread gives the lock up while it sleeps. Inside a read-side section a thread may
/// take the lock if it does not wait and holds it for some tens of instructions.
package final class Monitor: @unchecked Sendable {
  // Raw memory: neither may move.
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let condition: UnsafeMutablePointer<pthread_cond_t>

  package init() {
    mutex = .allocate(capacity: 1)
    condition = .allocate(capacity: 1)
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(condition, nil)
  }

  deinit {
    pthread_cond_destroy(condition)
    pthread_mutex_destroy(mutex)
    condition.deallocate()
    mutex.deallocate()
  }

  /// Runs `body` under the lock.
  @inline(__always)
  package func locked<Result, Failure: Error>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
    // A forked child would wait for a holder that did not come along.
    cp_check_not_forked()
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return try body()
  }

  /// Sleeps until a thread calls `wakeAll`, or for no reason. Inside `locked`.
  package func wait() { pthread_cond_wait(condition, mutex) }

  /// Wakes all waiting threads. Inside `locked`.
  package func wakeAll() { pthread_cond_broadcast(condition) }
}
