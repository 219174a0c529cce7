import CPlatform
import Synchronization

/// Ends of objects that lost their last reference inside a section, or in a scope that releases no object. Inside a
/// section an object's end cannot wait as it must.
extension RCU {
  /// Has `successor` end outside of the calling thread's section: soon, on a thread of its own, or in `finishEndings`.
  ///
  /// For the `deinit` of an object that may find itself inside a section, or in such a scope
  /// (`ReclaimScope.mayRelease`). The object cannot outlive its own `deinit`, so it hands its parts to a successor.
  /// The successor's `deinit` does the work.
  static func endOutsideSection(_ successor: AnyObject) {
    endings.enqueue(.object(successor))
    // ORDERING [ending-then-flag]: enqueued before the exchange, a release. A thread that clears the flag after this
    // finds the successor. If it cleared the flag before, this starts another thread.
    if isThreadStarted.exchange(true, ordering: .acquiringAndReleasing) { return }
    let error = cp_start_thread(
      nil, "gup-endings",
      { _ in
        // ORDERING [ending-then-flag]: cleared before the drain looks, by an exchange that acquires. A store would
        // order nothing that comes after it: the drain could miss the successor of a thread that found the flag set. On
        // x86-64 both are one instruction.
        _ = RCU.isThreadStarted.exchange(false, ordering: .acquiringAndReleasing)
        RCU.endings.drain()
        return nil
      }, nil)
    // Where the process has no thread to spare, the next barrier, flush or machine's end does it.
    if error != 0 { isThreadStarted.store(false, ordering: .relaxed) }
  }

  /// Returns when all ends that sections put off before the call are over. Inside a release it waits for what `barrier`
  /// waits for there.
  static func finishEndings() { endings.drainAll() }

  /// As `closures`, for ends.
  static var endings: DeferredQueue {
    _ = ThreadNumber.current
    return endingQueue
  }

  private static let endingQueue = DeferredQueue { _ in preconditionFailure("only objects end here") }

  private static let isThreadStarted = Atomic<Bool>(false)
}
