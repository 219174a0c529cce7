import CPlatform

/// The reclaims that are under way, each with the thread that runs it.
///
/// A reclaim keeps every cache and every space that it found alive until it is done. So a cache that its last user has
/// let go of may live on for as long as another cache's dirty pages are written. Its own end, which writes its file,
/// comes after that. `waitForOthers` is for a caller that has given something up and needs it to be gone.
final class ReclaimPasses: @unchecked Sendable {
  private struct Pass {
    let serial: Int
    let thread: Int32
  }

  private let monitor = Monitor()
  // Guarded by `monitor`.
  private var underWay: [Pass] = []
  private var lastSerial = 0

  /// Runs a reclaim, or a look at what it may take from. What `body` keeps alive it releases before it returns.
  func run<Result>(_ body: () -> Result) -> Result {
    let serial = monitor.locked { () -> Int in
      lastSerial += 1
      underWay.append(Pass(serial: lastSerial, thread: ThreadNumber.current))
      return lastSerial
    }
    defer {
      monitor.locked {
        underWay.removeAll { $0.serial == serial }
        monitor.wakeAll()
      }
    }
    return body()
  }

  /// Returns when the reclaims of other threads that were under way have released what they kept.
  ///
  /// At once for a thread that may not reclaim itself: one of them may wait for a lock which it holds. At once, too,
  /// in a reclaim and in a round of releases (`ReadyObjects`). A reclaim may wait for a round, and for another's lock.
  /// A round waits for neither. So each wait here leads from outside of both, and waits form no cycle.
  func waitForOthers() {
    guard ReclaimScope.mayReclaim, cp_innermost_release() == nil else { return }
    let thread = ThreadNumber.current
    monitor.locked {
      if underWay.contains(where: { $0.thread == thread }) { return }
      let last = lastSerial
      while underWay.contains(where: { $0.serial <= last }) { monitor.wait() }
    }
  }
}
