import CSQLite
import Glibc
import Synchronization
import UserPages

/// The locks on read marks that the connections of one pool keep (`WALReadLock`), and the thread that gives them back.
///
/// A kept lock keeps a checkpoint from going beyond its mark, and the WAL from beginning anew. So it must go when
/// another connection asks for the mark:
/// - One of this process says so. `giveBack` unlocks the mark before the default VFS is asked.
/// - One of another process only finds the mark locked. So each lock is given back 2 ms after it was kept at the
///   latest. For half a millisecond after that none is kept. A process that waits for the mark thus meets a reader that
///   ends, as it would without this.
///
///     a connection                                the thread
///     1. `used` -> `kept`                         a. sleeps until it is wanted
///     2. is the thread wanted already?            b. sleeps 2 ms
///        if not: wants it                         c. it is not wanted any more
///                                                 d. gives all kept locks back
///
/// ORDERING [kept-then-wake]: 1 before 2, c before d, all sequentially consistent. Either d finds the lock kept, or 2
/// finds the thread unwanted and wakes it. No lock stays with a connection that reads nothing more.
final class WALReadLocks: @unchecked Sendable {
  private static let keptMicroseconds: UInt32 = 2000
  private static let restMicroseconds: UInt32 = 500

  private let locks = Guarded<[WALReadLock]>([])
  private let mayKeep = Atomic<Bool>(true)
  private let isWanted = Atomic<Bool>(false)
  private let monitor = Monitor()
  // Guarded by the monitor.
  private var thread: ServiceThread?
  private var isEnding = false

  /// A lock for a connection. Nil where SQLite runs without mutexes: then another thread may not unlock it.
  func add(_ inner: InnerFile) -> WALReadLock? {
    guard csqlite_has_mutexes() != 0 else { return nil }
    let lock = WALReadLock(inner)
    locks.withLock { $0.append(lock) }
    return lock
  }

  /// Gives a connection's lock back and forgets it. Before its object of the default VFS ends.
  func remove(_ lock: WALReadLock) {
    locks.withLock { $0.removeAll { $0 === lock } }
    lock.giveBack(WALIndex.readMarks)
  }

  /// Gives a connection's lock back. When this returns, no other thread is about to. Before the connection gives the
  /// index up.
  func giveBack(_ lock: WALReadLock) { locks.withLock { _ in lock.giveBack(WALIndex.readMarks) } }

  /// Gives every kept lock on one of `marks` back.
  func giveBack(_ marks: Range<Int32>) { locks.withLock { locks in locks.forEach { $0.giveBack(marks) } } }

  /// Ends a connection's read of `mark`. Returns SQLite's result code.
  @inline(__always)
  func endRead(_ lock: WALReadLock, of mark: Int32) -> Int32 {
    guard mayKeep.load(ordering: .relaxed), lock.keep(mark) else { return lock.unlock(mark) }
    // ORDERING [kept-then-wake].
    if !isWanted.load(ordering: .sequentiallyConsistent), !wake() { lock.giveBack(WALIndex.readMarks) }
    return SQLITE_OK
  }

  /// Wakes the thread, or starts it. Returns false if the process has no thread to spare.
  @inline(never)
  private func wake() -> Bool {
    monitor.locked {
      if thread == nil { thread = ServiceThread.start("gup-wal") { [self] in run() } }
      isWanted.store(thread != nil, ordering: .sequentiallyConsistent)
      monitor.wakeAll()
      return thread != nil
    }
  }

  private func run() {
    while waitUntilWanted() {
      usleep(Self.keptMicroseconds)
      mayKeep.store(false, ordering: .relaxed)
      // ORDERING [kept-then-wake].
      isWanted.store(false, ordering: .sequentiallyConsistent)
      giveBack(WALIndex.readMarks)
      usleep(Self.restMicroseconds)
      mayKeep.store(true, ordering: .relaxed)
    }
  }

  /// Returns whether there is work to come.
  private func waitUntilWanted() -> Bool {
    monitor.locked {
      while !isEnding, !isWanted.load(ordering: .sequentiallyConsistent) { monitor.wait() }
      return !isEnding
    }
  }

  /// Ends the thread. Every connection has left.
  func end() {
    let last = monitor.locked { () -> ServiceThread? in
      isEnding = true
      monitor.wakeAll()
      defer { thread = nil }
      return thread
    }
    last?.join()
  }
}
