import Glibc

/// An array of locks, a cache line each, so that threads with different latches write different lines.
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
