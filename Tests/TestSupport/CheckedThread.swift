import Foundation

/// A thread of a test. The test gets its error when it joins it.
public final class CheckedThread: @unchecked Sendable {
  private let isOver = DispatchSemaphore(value: 0)
  // Both are the thread's up to the signal.
  private var body: (@Sendable () throws -> Void)?
  private var failure: (any Error)?

  /// Starts a thread that runs `body`.
  public init(_ body: @escaping @Sendable () throws -> Void) {
    self.body = body
    Thread.detachNewThread { [self] in
      do { try self.body?() } catch { failure = error }
      // What it captured ends before the join.
      self.body = nil
      isOver.signal()
    }
  }

  /// Waits for the thread's end, once.
  ///
  /// - Throws: what its body threw.
  public func join() throws {
    isOver.wait()
    if let failure { throw failure }
  }
}
