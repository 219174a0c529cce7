/// A value behind a lock, for what is changed too seldom to be worth a protocol.
///
/// Not for read-side sections: the lock may sleep.
final class Guarded<Value>: @unchecked Sendable {
  private let lock = FutexLock()
  // Only touched in `withLock`.
  private var value: Value

  init(_ value: Value) { self.value = value }

  func withLock<Result, Failure: Error>(_ body: (inout Value) throws(Failure) -> Result) throws(Failure) -> Result {
    lock.lock()
    defer { lock.unlock() }
    return try body(&value)
  }
}
