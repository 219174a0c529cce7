import Foundation

/// A value behind a lock that ThreadSanitizer knows (`Mutex` waits in a library that is not instrumented).
public final class Locked<Value>: @unchecked Sendable {
  private let lock = NSLock()
  // Only touched in `withLock`.
  private var value: Value

  /// Guards `value`.
  public init(_ value: Value) { self.value = value }

  /// Runs `body` with the value, alone.
  public func withLock<Result>(_ body: (inout Value) -> Result) -> Result {
    lock.lock()
    defer { lock.unlock() }
    return body(&value)
  }
}
