import CSQLite
import Glibc
import Synchronization
import UserPages

/// The locks on read marks that the connections of one pool keep (`WALReadLock`), and the thread that gives them back.
///
/// A kept lock keeps a checkpoint from going beyond its mark, and the WAL from beginning anew. To others it is the lock
/// of a reader that has not ended. But a program may know that no transaction is left, and then must not find one:
/// - A connection of this process that wants the mark has it unlocked first, by `giveBack`, before the default VFS is
///   asked. If the mark is busy all the same, a transaction has used it since the call began, as without kept locks.
/// - A connection of another process only finds the mark locked: the kernel does not tell a lock's holder that it is in
///   the way. A checkpoint without `busy_timeout` fails at once. So no lock is kept beside another process.
///
/// Each process that uses a WAL has SHARED on the file, from its first transaction to its last connection's end. So the
/// kernel says whether there is one (`ProcessLocks.areHeldElsewhere`). The thread asks it before each *stretch*, the
/// 2 ms in which connections keep their locks. Half a millisecond without kept locks comes before each stretch. A
/// stretch begins only if reads end in that time: it saves nothing where transactions are rare, so none is kept there.
///
/// One case is left. A process that locks the file for the first time while a stretch lasts may find a mark locked,
/// until the stretch ends. Then it meets no kept lock again. A connection that another VFS of this process has opened
/// does not ask the pool, and may meet kept locks at any time.
///
///     a connection                                the thread
///     1. finds that a stretch lasts               a. ends the stretch
///     2. `used` -> `kept`                         b. gives all kept locks back
///     3. does the stretch last still?
///        if not: gives its lock back
///
/// ORDERING [kept-then-look]: 2 before 3, a before b, all sequentially consistent. Either b finds the lock kept, or 3
/// finds that the stretch is over. No lock stays with a connection that reads nothing more.
final class WALReadLocks: @unchecked Sendable {
  private static let stretchMicroseconds: UInt32 = 2000
  private static let restMicroseconds: UInt32 = 500

  private let isAlone: @Sendable () -> Bool
  private let locks = Guarded<[WALReadLock]>([])
  /// Whether a stretch lasts. Only the thread changes it.
  let isStretch = Atomic<Bool>(false)
  /// Whether a read has ended since the thread last began to rest.
  private let isWanted = Atomic<Bool>(false)
  private let monitor = Monitor()
  // Guarded by the monitor.
  private var thread: ServiceThread?
  private var isEnding = false

  /// - Parameter isAlone: whether no other process uses the file. The thread calls it.
  init(isAlone: @escaping @Sendable () -> Bool) { self.isAlone = isAlone }

  /// A lock for a connection. Nil where SQLite runs without mutexes: then another thread may not unlock it.
  func add(_ inner: InnerFile) -> WALReadLock? {
    guard csqlite_has_mutexes() != 0 else { return nil }
    let lock = WALReadLock(inner)
    locks.withLock { $0.append(lock) }
    return lock
  }

  /// Gives a connection's lock back and forgets it. Before its object of the default VFS ends.
  ///
  /// In one step: a connection that wants the mark must not miss a lock that is forgotten and not given back yet.
  func remove(_ lock: WALReadLock) {
    locks.withLock { locks in
      locks.removeAll { $0 === lock }
      lock.giveBack(WALIndex.readMarks)
    }
  }

  /// Gives a connection's lock back. When this returns, no other thread is about to. Before the connection gives the
  /// index up.
  func giveBack(_ lock: WALReadLock) { locks.withLock { _ in lock.giveBack(WALIndex.readMarks) } }

  /// Gives every kept lock on one of `marks` back.
  func giveBack(_ marks: Range<Int32>) { locks.withLock { locks in locks.forEach { $0.giveBack(marks) } } }

  /// Ends a connection's read of `mark`. Returns SQLite's result code.
  @inline(__always)
  func endRead(_ lock: WALReadLock, of mark: Int32) -> Int32 {
    if isStretch.load(ordering: .relaxed) {
      YieldPoint.readLockBetweenLookAndKeep.reach()
      if lock.keep(mark) {
        // ORDERING [kept-then-look].
        if !isStretch.load(ordering: .sequentiallyConsistent) { lock.giveBack(WALIndex.readMarks) }
        return SQLITE_OK
      }
    }
    let result = lock.unlock(mark)
    if !isWanted.load(ordering: .relaxed) { want() }
    return result
  }

  /// Wakes the thread, or starts it. If the process has no thread to spare, no lock is kept.
  @inline(never)
  private func want() {
    monitor.locked {
      isWanted.store(true, ordering: .relaxed)
      if thread == nil { thread = ServiceThread.start("gup-wal") { [self] in run() } }
      monitor.wakeAll()
    }
  }

  private func run() {
    while waitUntilWanted() {
      usleep(Self.restMicroseconds)
      // The read that woke the thread may have been the only one.
      guard isWanted.load(ordering: .relaxed) else { continue }
      let keeps = isAlone()
      isStretch.store(keeps, ordering: .relaxed)
      usleep(Self.stretchMicroseconds)
      guard keeps else { continue }
      // ORDERING [kept-then-look].
      isStretch.store(false, ordering: .sequentiallyConsistent)
      giveBack(WALIndex.readMarks)
    }
  }

  /// Waits for a read to end. From then on, another one is wanted. Returns false if the pool ends.
  private func waitUntilWanted() -> Bool {
    monitor.locked {
      while !isEnding, !isWanted.load(ordering: .relaxed) { monitor.wait() }
      isWanted.store(false, ordering: .relaxed)
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
