import Foundation

/// A number of threads that a test waits for.
final class Rounds: @unchecked Sendable {
  private let condition = NSCondition()
  // Under the condition.
  private var left: Int

  init(_ count: Int) { left = count }

  func arrive() {
    condition.lock()
    left -= 1
    condition.broadcast()
    condition.unlock()
  }

  func wait() {
    condition.lock()
    while left > 0 { condition.wait() }
    condition.unlock()
  }
}

/// Starts a thread. It may release what `body` captures later than the test ends, so `body` captures spaces unowned.
func runThread(_ body: @escaping @Sendable () -> Void) { Thread { body() }.start() }

/// Gives other threads time that they may or may not use.
func pauseBriefly() { Thread.sleep(forTimeInterval: 0.02) }
