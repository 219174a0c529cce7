/// A value behind a `FutexLock`, for what changes too seldom to be worth a protocol.
///
/// The value is reached through `withLock` alone, so it cannot be touched without the lock. To wait for a change of the
/// value use a `Monitor`. Not for read-side sections: the lock may sleep.
package final class Guarded<Value>: @unchecked Sendable {
  private let lock = FutexLock()
  // Only touched in `withLock`.
  private var value: Value

  package init(_ value: Value) { self.value = value }

  /// Runs `body` with the value, alone. `body` is short, but for a system call that other threads are to wait for. It
  /// runs no user's code: what it takes out is released after it.
  package func withLock<Result: ~Copyable, Failure: Error>(
    _ body: (inout Value) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    lock.lock()
    defer { lock.unlock() }
    return try body(&value)
  }
}
