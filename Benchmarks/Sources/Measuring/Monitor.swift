import Glibc

/// A lock with a condition to wait for.
public final class Monitor: @unchecked Sendable {
  // Sendable: a pthread mutex and condition at fixed addresses.
  @usableFromInline let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let condition: UnsafeMutablePointer<pthread_cond_t>

  public init() {
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

  @inlinable
  public func lock() { pthread_mutex_lock(mutex) }

  @inlinable
  public func unlock() { pthread_mutex_unlock(mutex) }

  public func wait() { pthread_cond_wait(condition, mutex) }

  public func wakeAll() { pthread_cond_broadcast(condition) }
}
