import Glibc
import Synchronization
import UserPages

/// Notices what other processes change in the file, and has the pool forget its pages then: no connection reads a stale
/// page.
///
/// *In rollback mode* a process writes only while no other one has the SHARED lock. So the file is looked at when this
/// process gets its first SHARED lock (`enterShared`). It is not looked at again before the process has given up the
/// last one.
///
///     this process                                   another process
///     1. its first connection locks SHARED
///     2. compares header, length and time with       waits for EXCLUSIVE until the last
///        what it left there; else invalidates        connection of this process unlocks
///     3. reads from the pool
///     4. counts itself out, then unlocks             writes, counts up in the header
///
/// *With a WAL* all connections keep SHARED, and a checkpoint changes the file. It copies those frames of the WAL that
/// every reader finds there, and then says how many are in the file (`WALIndex.Position`). So each read compares the
/// position with the pool's, by four loads.
///
///     a read of this process                         a checkpoint of another process
///     1. compares the position; else invalidates     writes page p to the file; every reader
///     2. reads page q, which is not in the WAL       finds p in the WAL, so q is not p
///        as this reader sees it                      advances the position
///
/// *With EXCLUSIVE* a connection checkpoints without a lock of the WAL's, and without a read before. So the lock itself
/// is a reason to compare (`enterExclusive`).
///
///     this process                                   another process
///     1. reads; keeps SHARED                         commits, checkpoints, commits more
///     2. reads nothing                               ends; the WAL stays, as SHARED is not its alone
///     3. locks EXCLUSIVE
///     4. compares the position; else invalidates
///     5. checkpoints the rest of the WAL
///
/// Without step 4 a page of less than 4096 bytes would be written with stale ones beside it.
///
/// A page of less than 4096 bytes shares its frame with others. A load that meets a checkpoint may get the bytes of the
/// others as they were. Those bytes are not read before the position has advanced, and then the frame is forgotten.
/// `PageCache.invalidate` waits for loads that have begun.
///
/// What this process changes itself is in the pool already: a checkpoint under its own lock, and a WAL that its own
/// writer begins anew.
final class Coherence: Sendable {
  private struct State {
    /// Connections of this process that have SHARED or more, counted before the unlock and after the lock.
    var readers = 0
    /// What the file was when the last connection left. Nil if that is unknown.
    var version: FileVersion?
    var watch = FileWatch()
    /// The position that the pool's pages are of. Nil if no connection has the index.
    var position: WALIndex.Position?
    /// Whether a connection of this process has the checkpoint lock.
    var ownsCheckpoint = false
    /// Where the WAL ended when a connection of this process got the write lock.
    var writersStart: WALIndex.Position?
    var invalidations = 0
  }

  private static let noNumber = UInt64.max

  private let cache: PageCache
  private let descriptor: Int32
  private let state = Guarded(State())
  private let salt = Atomic<UInt64>(0)  // `State.position` for a look without the lock.
  private let backfilled = Atomic<UInt64>(noNumber)
  private let walConnections = Atomic<Int>(0)

  /// - Parameter descriptor: one of the cache's file, which lives as long.
  init(_ cache: PageCache, descriptor: Int32) {
    self.cache = cache
    self.descriptor = descriptor
  }

  /// How often the pool forgot its pages.
  var invalidations: Int { state.withLock { $0.invalidations } }

  /// Whether a connection of this process uses a WAL.
  var hasWAL: Bool { walConnections.load(ordering: .acquiring) > 0 }

  // MARK: Rollback mode

  /// A connection has locked SHARED. The first one compares the file with what is known of it. In WAL mode the header
  /// does not count transactions, and nothing is known from before.
  ///
  /// - Returns: the file's length, good as long as the connection has SHARED and no more. Nil if it is not known, or if
  ///   checkpoints may change it.
  /// - Throws: what keeps the file from being read. The connection then unlocks and is not counted.
  @discardableResult
  func enterShared(_ inner: InnerFile) throws(PageError) -> Int? {
    try state.withLock { state throws(PageError) in
      if state.readers == 0 {
        guard let version = state.watch.look(at: inner, descriptor, known: state.version) else {
          throw .file(.read, errno: EIO)
        }
        if version != state.version || version.isWAL {
          state.version = nil
          try invalidate(&state)
          state.version = version
        }
      }
      state.readers += 1
      return state.version?.byteCountUnderShared
    }
  }

  /// A connection is about to unlock SHARED. Before and not after: with the unlock another process may write, and a
  /// connection that locks then must find itself the first.
  func leaveShared() { state.withLock { $0.readers -= 1 } }

  /// What the file was when a connection locked SHARED says nothing of its pages: the next first one invalidates.
  func forgetVersion() { state.withLock { $0.version = nil } }

  /// A connection that may have written is about to give up RESERVED or more, and the file has all that it wrote.
  func noteOwnWrites() {
    state.withLock { $0.version = FileVersion(of: cache, descriptor: descriptor) }
  }

  // MARK: WAL

  /// Whether the pool's pages are those of the index's position. Without a lock.
  ///
  /// The index has been at the position that is recorded. So two loads tell whether it still is, the number before the
  /// salt: if the salt is the recorded one, its WAL had begun before both loads, and the number is that WAL's.
  @inline(__always)
  func isCurrent(_ index: WALIndex) -> Bool {
    // What `record` writes in the order number, salt, number is read salt first: a number is never taken for a later
    // salt's.
    let salt = salt.load(ordering: .acquiring)
    let backfilled = backfilled.load(ordering: .acquiring)
    let found = index.backfilled
    return index.salt == salt && UInt64(found) == backfilled
  }

  /// Compares once more under the lock, and invalidates if another process has changed the file. Returns whether the
  /// pool is current.
  ///
  /// - Throws: as `PageCache.invalidate`.
  func revalidate(_ index: WALIndex) throws(PageError) -> Bool {
    try state.withLock { state throws(PageError) in try revalidate(&state, index) }
  }

  private func revalidate(_ state: inout State, _ index: WALIndex) throws(PageError) -> Bool {
    guard let now = index.position else { return state.ownsCheckpoint }
    if now == state.position { return true }
    if !isOwn(now, state) {
      forgetPosition(&state)
      try invalidate(&state)
    }
    record(now, &state)
    return true
  }

  /// Whether this process brought the index from the known position to `now`.
  ///
  /// A writer begins a WAL anew once all of it is in the file. So if the pool knew of all of it, the file is as the
  /// pool knows it.
  private func isOwn(_ now: WALIndex.Position, _ state: State) -> Bool {
    if state.ownsCheckpoint { return true }
    guard let position = state.position else { return false }
    return state.writersStart == position && now.salt != position.salt && now.backfilled == 0
  }

  private func record(_ now: WALIndex.Position, _ state: inout State) {
    state.position = now
    backfilled.store(Self.noNumber, ordering: .sequentiallyConsistent)
    salt.store(now.salt, ordering: .sequentiallyConsistent)
    backfilled.store(UInt64(now.backfilled), ordering: .sequentiallyConsistent)
  }

  /// A connection has the index.
  func addWALConnection() { walConnections.wrappingAdd(1, ordering: .sequentiallyConsistent) }

  /// A connection is about to give the index up. With the last one the position is forgotten: nothing is compared from
  /// then on.
  func removeWALConnection() {
    guard walConnections.wrappingSubtract(1, ordering: .sequentiallyConsistent).newValue == 0 else { return }
    state.withLock { forgetPosition(&$0) }
  }

  /// A connection has got the checkpoint lock: advances from here on are its own.
  ///
  /// - Throws: as `PageCache.invalidate`. The connection then gives the lock back.
  func beginCheckpoint(_ index: WALIndex) throws(PageError) {
    try state.withLock { state throws(PageError) in
      try makeCurrent(&state, index)
      state.ownsCheckpoint = true
    }
  }

  /// A connection is about to give the checkpoint lock back.
  func endCheckpoint(_ index: WALIndex) {
    state.withLock { state in
      guard state.ownsCheckpoint else { return }
      state.ownsCheckpoint = false
      if let now = index.position { record(now, &state) } else { forgetPosition(&state) }
    }
  }

  /// No other process can change the file from here on, whatever the index says. A checkpoint that was cut short has
  /// moved no position. A checkpoint needs the file's length, and `sqlite3_snapshot_recover` those very pages.
  private func makeCurrent(_ state: inout State, _ index: WALIndex) throws(PageError) {
    let isKnown = try revalidate(&state, index)
    if isKnown, !index.hasUnfinishedCheckpoint { return }
    let position = isKnown ? state.position : nil
    forgetPosition(&state)
    try invalidate(&state)
    // Otherwise the next read would forget what a checkpoint under EXCLUSIVE has written by then.
    if let position { record(position, &state) }
  }

  /// A connection has got EXCLUSIVE. Nothing is dirty: below it a checkpoint writes each page at once.
  ///
  /// - Parameter index: nil if the connection has none. It then may come to keep one in memory of its own
  ///   (`locking_mode=EXCLUSIVE`), or may read no WAL. In rollback mode its SHARED has kept others from writing.
  /// - Throws: as `PageCache.invalidate`. The connection then gives the lock back.
  func enterExclusive(_ index: WALIndex?) throws(PageError) {
    try state.withLock { state throws(PageError) in
      if let index { return try makeCurrent(&state, index) }
      if let version = state.version, !version.isWAL { return }
      forgetPosition(&state)
      try invalidate(&state)
    }
  }

  /// A connection has got the recovery lock: nothing is known of the file.
  ///
  /// An index that cannot be trusted says nothing of what was done to the file before. So a position that the recovery
  /// comes to is no advance of this process's own. That holds though the same thread has the locks of the writer and of
  /// the checkpointer.
  ///
  /// A checkpoint that comes to a recovery compared the pool with that index. It has written nothing yet, and what it
  /// writes must not be forgotten. So the pool forgets its pages here.
  ///
  /// - Throws: as `PageCache.invalidate`. The connection then gives the lock back.
  func beginRecovery() throws(PageError) {
    try state.withLock { state throws(PageError) in
      forgetPosition(&state)
      state.writersStart = nil
      guard state.ownsCheckpoint else { return }
      // Not before the pages are gone: the end of the checkpoint would record a position.
      state.ownsCheckpoint = false
      try invalidate(&state)
      state.ownsCheckpoint = true
    }
  }

  /// A connection is about to give the recovery lock back.
  func endRecovery() {
    state.withLock { state in
      forgetPosition(&state)
      state.writersStart = nil
    }
  }

  private func forgetPosition(_ state: inout State) {
    state.position = nil
    backfilled.store(Self.noNumber, ordering: .sequentiallyConsistent)
  }

  /// A connection has got the write lock: only it can begin the WAL anew.
  func beginWrite(_ index: WALIndex) {
    state.withLock { $0.writersStart = WALIndex.Position(salt: index.salt, backfilled: index.lastFrame) }
  }

  /// A connection is about to give the write lock back. An error leaves the position unknown, which the next read
  /// meets.
  func endWrite(_ index: WALIndex) {
    state.withLock { state in
      _ = try? revalidate(&state, index)
      state.writersStart = nil
    }
  }

  // MARK: Both

  /// Forgets every page, those that could not be written among them. Nothing is known of the file afterwards, so the
  /// next read or lock asks for the length again.
  ///
  /// A checkpoint writes no more after a write that failed. So a read need not spare what it has written.
  func discard() {
    state.withLock { state in
      state.invalidations += 1
      state.version = nil
      state.ownsCheckpoint = false
      forgetPosition(&state)
      // The pages are gone also where this throws for a length that the cache was not made for.
      try? cache.invalidate()
    }
  }

  /// Forgets every page, and takes the file's length anew.
  private func invalidate(_ state: inout State) throws(PageError) {
    state.invalidations += 1
    try cache.invalidate()
  }
}
