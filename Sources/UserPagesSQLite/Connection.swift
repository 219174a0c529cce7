import CSQLite
import UserPages

/// One open database file: what SQLite calls through `sqlite3_io_methods`, for one connection and one thread at a time.
///
/// It lies behind the pointer in SQLite's file object. The default VFS's object beside it has the locks, the shared
/// memory of the WAL, and answers all that the pool cannot.
struct Connection: ~Copyable {
  let inner: InnerFile
  let pool: Pool
  /// The connection's own view of the pool's errors.
  ///
  /// With one handle for all, a loss is reported as a success:
  /// 1. This connection's sync fails.
  /// 2. Another connection flushes or closes, and the handle reports the error to it.
  /// 3. This connection finds no error to report.
  ///
  /// An error of a write that is older than the lock under which the connection writes is none of its business
  /// (`skipWriteErrors`). Without that, one failed write fails the next commit of every connection of the process. All
  /// that the connection's success promises it writes under the lock, and pages of before need none of its care:
  /// - Beside other processes no page stays dirty when a lock is given up. What could not be written is forgotten. The
  ///   journal has it, which is played back before the next transaction. Or the WAL has it, and the next checkpoint
  ///   begins with it, as no checkpoint has passed it.
  /// - In an exclusive pool it stays dirty. The next flush writes it, or notes an error of its own.
  ///
  /// A failed sync is reported to each connection once, as `fsync(2)` does. It may have lost what an earlier part of a
  /// checkpoint wrote: that part was over without a sync, and no checkpoint copies it again. The pool writes what it
  /// still has of it (`retryCheckpointSync`).
  let handle: PageCache.Handle
  let counters = ConnectionCounters()
  // Not retained again: `pool` holds both. A call would change a count that all connections share.
  let cache: Unmanaged<PageCache>
  let coherence: Unmanaged<Coherence>
  let options: DatabaseOptions
  let lastFrame: PFN

  /// The lock that SQLite has asked for and got: `SQLITE_LOCK_NONE` and up.
  var level: Int32 = SQLITE_LOCK_NONE
  /// The file's length since the connection has locked SHARED. Nil if it is not known, or may change.
  var sharedByteCount: Int?
  /// The lock on a mark of the WAL's index, which the connection keeps between reads. Nil if it keeps none.
  let readLock: WALReadLock?
  /// The WAL's index, if it is mapped.
  var walIndex: WALIndex?
  /// Whether the WAL's index cannot be used, so that nothing says what other processes change.
  var lacksIndex = false
  /// Bytes from the file's start that SQLite may fetch (`PRAGMA mmap_size`).
  var fetchLimit: Int64
  /// The most that the program allows for `fetchLimit`.
  let mostFetched: Int64
  /// What the file's length is a multiple of (`SQLITE_FCNTL_CHUNK_SIZE`).
  var chunkSize: Int64 = 0
  var lent = LentFrames()
  /// Whether other processes are refused, so that the pool is always current.
  let isExclusive: Bool

  init(_ inner: InnerFile, _ pool: Pool, _ options: DatabaseOptions) {
    self.inner = inner
    self.pool = pool
    self.options = options
    handle = pool.cache.open()
    lastFrame = pool.lastFrame
    isExclusive = pool.locks != nil
    cache = .passUnretained(pool.cache)
    coherence = .passUnretained(pool.coherence)
    // The default VFS clamps what it is told, and tells what it was told before. It must map nothing itself.
    var value = Int64.max
    fetchLimit = inner.control(SQLITE_FCNTL_MMAP_SIZE, &value) == SQLITE_OK && value != .max ? max(value, 0) : 0
    value = 0
    mostFetched = inner.control(SQLITE_FCNTL_MMAP_SIZE, &value) == SQLITE_OK ? max(value, 0) : Int64(Int32.max)
    pool.add(counters)
    if options.isImmutable { pool.periods.enter() }
    readLock = isExclusive ? nil : pool.readLocks.add(inner)
  }

  /// Whether a read may be answered by the pool: a lock keeps other processes from writing, and the pool has what they
  /// wrote before.
  ///
  /// SQLite reads the header of a database that it opens without a lock. Then, and if nothing tells of other processes'
  /// checkpoints, the default VFS answers.
  @inline(__always)
  func mayUsePool() -> Bool {
    if let walIndex {
      return coherence._withUnsafeGuaranteedRef { $0.isCurrent(walIndex) } || hasRevalidated(walIndex)
    }
    guard level >= SQLITE_LOCK_SHARED || options.isImmutable, !lacksIndex else { return false }
    // A connection that has not come to its WAL yet, beside one that has.
    return isExclusive || level >= SQLITE_LOCK_EXCLUSIVE || !coherence._withUnsafeGuaranteedRef { $0.hasWAL }
  }

  @inline(never)
  private func hasRevalidated(_ walIndex: WALIndex) -> Bool {
    do throws(PageError) { return try pool.coherence.revalidate(walIndex) } catch { return false }
  }

  /// How locks within the process know the connection.
  var owner: ProcessLocks.Owner { ObjectIdentifier(counters) }

  /// Whether each write must be in the file before the next call: a checkpoint beside other processes.
  ///
  /// A checkpoint of a part of the WAL says what is in the file without a sync. It does not ask whether a later
  /// write-back failed. In rollback mode other processes wait for the end of EXCLUSIVE.
  var writesThrough: Bool { level < SQLITE_LOCK_EXCLUSIVE && !isExclusive }

  /// Ends what the connection has of the pool. Returns the result of the default VFS's `xClose`.
  ///
  /// A flush needs a lock under which the process may write. Below RESERVED, what is dirty is no work of this
  /// connection's, and other processes may have written the file since.
  consuming func close() -> Int32 {
    let mayWrite = isExclusive || level >= SQLITE_LOCK_RESERVED
    let flushed = mayWrite ? flush() : SQLITE_OK
    if let readLock { pool.readLocks.remove(readLock) }
    leaveWAL()
    if let locks = pool.locks {
      pool.sharedMemory.unmap(owner)
      locks.unlock(owner, from: level, to: SQLITE_LOCK_NONE)
    } else if level >= SQLITE_LOCK_SHARED {
      leaveShared()
    }
    if options.isImmutable { pool.periods.leave() }
    pool.remove(counters)
    let identity = pool.identity
    let inner = inner
    // The pins and the reference to the pool end here, before the pool may.
    discardPool()
    let closed = inner.close()
    PoolRegistry.disconnect(identity)
    return flushed == SQLITE_OK ? closed : flushed
  }

  private consuming func discardPool() {}
}
