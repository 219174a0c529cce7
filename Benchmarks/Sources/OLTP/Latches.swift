import Glibc

/// Many small locks, a cache line each.
struct Latches: @unchecked Sendable {
  // Sendable: pthread mutexes at fixed addresses.
  private let base: UnsafeMutableRawPointer
  private let count: Int
  private static let stride = 64

  init(count: Int) {
    self.count = count
    base = .allocate(byteCount: count * Self.stride, alignment: Self.stride)
    for index in 0..<count { pthread_mutex_init(mutex(index), nil) }
  }

  func deallocate() {
    for index in 0..<count { pthread_mutex_destroy(mutex(index)) }
    base.deallocate()
  }

  @inline(__always)
  private func mutex(_ index: Int) -> UnsafeMutablePointer<pthread_mutex_t> {
    (base + index * Self.stride).assumingMemoryBound(to: pthread_mutex_t.self)
  }

  @inline(__always)
  func lock(_ index: Int) { pthread_mutex_lock(mutex(index)) }

  @inline(__always)
  func unlock(_ index: Int) { pthread_mutex_unlock(mutex(index)) }
}

/// A lock with a condition to wait for.
struct Monitor: @unchecked Sendable {
  // Sendable: a pthread mutex and condition at fixed addresses.
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let condition: UnsafeMutablePointer<pthread_cond_t>

  init() {
    mutex = .allocate(capacity: 1)
    condition = .allocate(capacity: 1)
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(condition, nil)
  }

  func deallocate() {
    pthread_cond_destroy(condition)
    pthread_mutex_destroy(mutex)
    condition.deallocate()
    mutex.deallocate()
  }

  @inline(__always)
  func lock() { pthread_mutex_lock(mutex) }

  @inline(__always)
  func unlock() { pthread_mutex_unlock(mutex) }

  func wait() { pthread_cond_wait(condition, mutex) }

  func wakeAll() { pthread_cond_broadcast(condition) }
}
