import CSQLite
import Glibc
import Synchronization
import UserPages

/// A connection's lock on a read mark of the WAL's index, which outlives the transaction that took it.
///
/// A transaction that reads locks one of five marks. The default VFS asks the kernel for the process's first lock on a
/// mark, and gives its last one back. Those are two calls of `fcntl(2)`, half of the time of a transaction that reads
/// one row. A kept lock saves both. To all others it is the lock of a reader that has not ended yet. `WALReadLocks`
/// decides when a lock is kept.
///
///     the connection                          `giveBack`, on any thread
///     begins a read   none -> used            kept -> changing
///     ends it         used -> kept            unlocks the mark at the default VFS
///     begins another  kept -> used            changing -> none
///
/// A thread that meets `changing` waits: that lasts as long as one call of `fcntl`. So does another connection that
/// wants a mark for itself. Otherwise it finds a mark locked that no transaction uses.
///
/// ORDERING [kept-lock]: each change of the state releases, and each look at it acquires. So what a transaction has
/// read, it has read before the mark is unlocked, whichever thread unlocks it.
final class WALReadLock: Sendable {
  private enum State {
    static let none: UInt32 = 0
    static let changing: UInt32 = 1
    private static let usedBit: UInt32 = 2
    private static let markShift: UInt32 = 2

    static func kept(_ mark: Int32) -> UInt32 { UInt32(mark) << markShift }
    static func used(_ mark: Int32) -> UInt32 { UInt32(mark) << markShift | usedBit }

    /// The mark of a lock that is kept. Nil in all other states.
    static func keptMark(_ state: UInt32) -> Int32? {
      state & (changing | usedBit) == 0 && state != none ? Int32(state >> markShift) : nil
    }
  }

  // Used by the connection's thread, and by `giveBack` while the lock is kept.
  private let inner: InnerFile
  private let state = Atomic<UInt32>(State.none)

  /// - Parameter inner: the connection's object of the default VFS. Other threads may call its functions meanwhile.
  init(_ inner: InnerFile) { self.inner = inner }

  /// Locks a mark for a read. Returns SQLite's result code. The connection's thread.
  @inline(__always)
  func lock(_ mark: Int32) -> Int32 {
    let isKept = state.compareExchange(
      expected: State.kept(mark), desired: State.used(mark), ordering: .acquiringAndReleasing
    ).exchanged
    return isKept ? SQLITE_OK : lockAnew(mark)
  }

  @inline(never)
  private func lockAnew(_ mark: Int32) -> Int32 {
    // One lock is kept at most: a kept one on another mark ends here.
    giveBack(WALIndex.readMarks)
    let result = inner.lockSharedMemory(mark, 1, SQLITE_SHM_LOCK | SQLITE_SHM_SHARED)
    // SQLite has one mark at a time. If it had two, the second would be the default VFS's alone.
    if result == SQLITE_OK, state.load(ordering: .relaxed) == State.none {
      state.store(State.used(mark), ordering: .releasing)
    }
    return result
  }

  /// Ends a read. Returns whether the lock on `mark` is kept now. If not, the caller unlocks it. The connection's
  /// thread.
  @inline(__always)
  func keep(_ mark: Int32) -> Bool {
    guard state.load(ordering: .relaxed) == State.used(mark) else { return false }
    // ORDERING [kept-lock], [kept-then-look].
    state.store(State.kept(mark), ordering: .sequentiallyConsistent)
    return true
  }

  /// Unlocks a mark. Returns SQLite's result code. The connection's thread.
  func unlock(_ mark: Int32) -> Int32 {
    if state.load(ordering: .relaxed) == State.used(mark) { state.store(State.none, ordering: .releasing) }
    return inner.lockSharedMemory(mark, 1, SQLITE_SHM_UNLOCK | SQLITE_SHM_SHARED)
  }

  /// Unlocks the mark, if it is kept and one of `marks`. When this returns, no thread is unlocking it. Any thread,
  /// while the connection is open.
  func giveBack(_ marks: Range<Int32>) {
    // ORDERING [kept-lock], [kept-then-look].
    let before = state.load(ordering: .sequentiallyConsistent)
    guard let mark = State.keptMark(before), marks.contains(mark),
      state.compareExchange(expected: before, desired: State.changing, ordering: .acquiringAndReleasing).exchanged
    else {
      while state.load(ordering: .acquiring) == State.changing { sched_yield() }
      return
    }
    // ORDERING [kept-lock]: what was read comes before this.
    // There is nothing to do about an error: a lock that the kernel keeps is that of a reader.
    _ = inner.lockSharedMemory(mark, 1, SQLITE_SHM_UNLOCK | SQLITE_SHM_SHARED)
    state.store(State.none, ordering: .releasing)
  }
}
