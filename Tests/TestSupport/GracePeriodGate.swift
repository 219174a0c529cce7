#if DEBUG
  import Foundation

  @testable import UserPages

  /// Holds every grace period shortly before its end, until the test lets it go.
  ///
  /// A `Freezer` stops one thread. Grace periods belong to no thread: between two that one thread runs, threads of
  /// other tests run as many as they like. The gate stops all of them, so a test says what lies in one grace period and
  /// what in the next. Other tests' threads wait with them, for as long as the gate is shut: keep that short.
  package final class GracePeriodGate: @unchecked Sendable {
    // Everything below is read and written under `condition` alone.
    private let condition = NSCondition()
    /// Grace periods that have come to the gate since it was shut, and those that may pass.
    private var come = 0
    private var mayPass = 0
    private var isOpen = false
    private var hasRunnerEnded = false
    // The number of the yield points' handler.
    private var handler = 0

    /// Shuts the gate. A grace period is held when this returns, and a thread waits to run those after it.
    package init() {
      handler = YieldPoint.install { [self] point, _ in
        if point == .gracePeriodBetweenSectionsAndEnd { passOrWait() }
      }
      let runner = Thread { [self] in
        while !withCondition({ isOpen }) { RCU.synchronize() }
        withCondition {
          hasRunnerEnded = true
          condition.broadcast()
        }
      }
      runner.name = "grace periods"
      runner.start()
      waitUntilOneIsHeld()
    }

    /// Lets the grace period go that is held. The next one is held when this returns.
    package func letOneGo() {
      withCondition {
        mayPass += 1
        condition.broadcast()
      }
      waitUntilOneIsHeld()
    }

    /// Lets all grace periods go, from now on.
    package func open() {
      YieldPoint.remove(handler)
      withCondition {
        isOpen = true
        condition.broadcast()
        while !hasRunnerEnded { condition.wait() }
      }
    }

    private func waitUntilOneIsHeld() {
      withCondition { while come <= mayPass { condition.wait() } }
    }

    /// One grace period runs at a time, so what comes here is the `come`th since the gate was shut.
    private func passOrWait() {
      withCondition {
        come += 1
        condition.broadcast()
        while !isOpen && come > mayPass { condition.wait() }
      }
    }

    private func withCondition<Result>(_ body: () -> Result) -> Result {
      condition.lock()
      defer { condition.unlock() }
      return body()
    }
  }
#endif
