import CPlatform
import Glibc

/// Waiting for a thread that never blocks before it is done, but may be preempted.
enum BusyWait {
  /// One turn.
  static func turn(_ turns: inout Int) {
    turns += 1
    if turns % 64 == 0 { sched_yield() } else { cp_pause() }
  }
}
