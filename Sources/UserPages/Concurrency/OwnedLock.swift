import Glibc

/// A lock that may be held over I/O and grace periods, and knows its holder (Linux's `mutex`).
///
/// A holder that runs a user's code may be called back by it. Such a second attempt by the same thread is refused: it
/// would wait for itself. A thread inside a read-side section traps: the holder may wait for a grace period, which
/// would never end. Threads get it in the order in which they asked: one that takes it in a loop, to sync, keeps no
/// other from it. Its holder does not reclaim memory, because reclaim waits for such locks. Nor does it release
/// objects: their ends may (`ReclaimScope`).
final class OwnedLock: @unchecked Sendable {
  private let monitor = Monitor()
  // All below is only touched under the monitor. The holding thread, 0 for none.
  private var holder: pthread_t = 0
  // The next number that a thread draws, and the number of the thread that has its turn.
  private var nextTicket: UInt64 = 0
  private var turn: UInt64 = 0

  /// Proof that the calling thread holds an `OwnedLock`. `holding` lends it.
  struct Held: ~Escapable {
    private let lock: ObjectIdentifier

    @_lifetime(immortal)
    fileprivate init(_ lock: OwnedLock) { self.lock = ObjectIdentifier(lock) }

    /// Traps if it is another lock that is held.
    func check(isOf lock: OwnedLock) {
      precondition(self.lock == ObjectIdentifier(lock), "another lock is held than the call needs")
    }
  }

  /// Runs `body` alone. Returns nil, without running it, if the calling thread holds the lock already.
  func holding<Result, Failure: Error>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result? {
    try holding { (_: borrowing Held) throws(Failure) -> Result in try body() }
  }

  /// The same, and lends proof that the lock is held.
  func holding<Result, Failure: Error>(
    _ body: (borrowing Held) throws(Failure) -> Result
  ) throws(Failure) -> Result? {
    RCU.requireNoSection()
    let me = pthread_self()
    let isMine = monitor.locked { () -> Bool in
      if holder == me { return false }
      let ticket = nextTicket
      nextTicket += 1
      while turn != ticket { monitor.wait() }
      holder = me
      return true
    }
    guard isMine else { return nil }
    // The lock is given up inside: the scope's end may release objects.
    return try ReclaimScope.withoutReclaim { () throws(Failure) -> Result in
      defer { giveUp() }
      return try body(Held(self))
    }
  }

  private func giveUp() {
    monitor.locked {
      holder = 0
      turn += 1
      monitor.wakeAll()
    }
  }

  /// Whether the calling thread holds the lock.
  var isHeldByCaller: Bool { monitor.locked { holder == pthread_self() } }
}
