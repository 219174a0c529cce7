import Glibc
import Synchronization
import UserPages

/// The pages of one database file that are in memory, for all connections of the process: a `PageCache` over direct
/// I/O.
///
/// Unless other processes are refused, no page is dirty while the process has no lock under which it may write. So
/// forgetting the pages loses nothing, and another process finds in the file all that this one has written.
final class Pool: Sendable {
  let poolFile: PoolFile
  let options: DatabaseOptions
  let cache: PageCache
  let coherence: Coherence
  private let store: PoolStore
  /// The file once more, for writing: `poolFile` may be open for reading alone. Set under the registry's lock.
  private let laterFile = Guarded<PoolFile?>(nil)
  /// When the process may read the file.
  let periods = ReadPeriods()
  /// The last frame of RAM: what follows it cannot be read, and SQLite may read past a page of a corrupt database.
  let lastFrame: PFN
  /// The locks and the WAL's index, if other processes are refused. Otherwise the default VFS has them.
  let locks: ProcessLocks?
  let sharedMemory = ProcessSharedMemory()
  /// The locks on the WAL's index that connections keep between reads, if other processes are not refused.
  let readLocks: WALReadLocks
  private let memory: PhysicalMemory
  /// Held around a fetch and its end if the engine is `locked`.
  private let engineLock = Guarded<Void>(())
  private let counters = Guarded<[ConnectionCounters]>([])
  // Those of connections that are closed.
  private let closedFetches = Atomic<Int>(0)
  private let closedReads = Atomic<Int>(0)

  /// What wraps the file at a path, for pools that begin from now on. For tests, which let transfers fail and write
  /// them down.
  static let storeWrappers = Guarded<[String: @Sendable (PoolFile) -> any PageStore]>([:])

  /// A pool without a page.
  ///
  /// - Throws:
  ///   - `outOfMemory` if the process lacks the address space.
  ///   - `file` with the errno.
  ///   - `busy` if other processes are to be refused and one uses the database.
  init(_ poolFile: PoolFile, _ options: DatabaseOptions) throws(PageError) {
    let file = poolFile.file
    try file.refreshByteCount()
    let limit = options.poolBytes / Page.size
    // A few more than the limit: those of pages that were forgotten while they were fetched, and those that a thread
    // has at hand.
    let ramPages = limit + 256
    let span = (ramPages + Page.pagesPerHuge) / Page.pagesPerHuge * Page.pagesPerHuge + Page.pagesPerHuge
    memory = try PhysicalMemory(
      ramPages: ramPages, spanPages: span, reclaim: ReclaimPolicy(watermarks: Watermarks.none))
    store = PoolStore(Self.wrapped(poolFile), periods)
    cache = try Self.makeCache(memory, store, limit: limit, filePages: Page.count(holding: file.byteCount))
    let descriptor = poolFile.descriptor
    readLocks = WALReadLocks(isAlone: { !ProcessLocks.areHeldElsewhere(descriptor) })
    self.poolFile = poolFile
    self.options = options
    lastFrame = memory.lastRAMFrame
    locks = options.isExclusive ? try ProcessLocks(locking: poolFile.descriptor) : nil
    coherence = Coherence(cache, descriptor: poolFile.descriptor)
    // The lock of the pool is for its life.
    if options.isExclusive { periods.enter() }
  }

  deinit { readLocks.end() }

  /// A cache for as far as the file may grow while the pool is there: a TiB, or 16 times its length, and no longer than
  /// any database of SQLite's. Each page costs eight bytes of address space; where that is scarce the file grows to a
  /// TiB, or not at all.
  private static func makeCache(
    _ memory: PhysicalMemory, _ store: PoolStore, limit: Int, filePages: Int
  ) throws(PageError) -> PageCache {
    let least = max(1 << 28, filePages)
    let wanted = min(max(least, 16 * filePages), 1 << 36)
    do throws(PageError) {
      return try PageCache(memory, store, limit: limit, takesStores: false, maximumPages: wanted)
    } catch {
      guard error.isLackOfMemory, wanted > least else { throw error }
      return try PageCache(memory, store, limit: limit, takesStores: false, maximumPages: least)
    }
  }

  private static func wrapped(_ poolFile: PoolFile) -> any PageStore {
    storeWrappers.withLock { $0[poolFile.path] }?(poolFile) ?? poolFile.file
  }

  /// Which pool of the process it is.
  var identity: PoolIdentity { PoolIdentity(poolFile.identity, options) }

  /// Every file that the pool keeps open, to be closed when it has ended.
  var files: [PoolFile] { [poolFile] + (laterFile.withLock { $0 }.map { [$0] } ?? []) }

  /// Whether the pool can write its file.
  var isWritable: Bool { files.contains(where: \.isWritable) }

  /// Has a pool that could not write its file do so from now on.
  ///
  /// The file may have been open, without a pool, since it had another length. If it is not what the cache goes by, the
  /// pool forgets its pages. None of them is dirty then: no other process changes the length while this one may write.
  /// Else the dirty ones stay, of a checkpoint that the file before refuses, and may go to this one.
  ///
  /// - Parameter file: the pool's, open for writing.
  /// - Throws: `file` if its length cannot be asked for.
  func write(to file: PoolFile) throws(PageError) {
    let opened = Self.wrapped(file)
    try opened.refreshByteCount()
    laterFile.withLock { $0 = file }
    store.replace(with: opened)
    if opened.byteCount != cache.byteCount { coherence.discard() }
  }

  /// Gives the file back to other processes. The file may stay open for another pool. The last connection has left, and
  /// written all that could be.
  func giveUpLock() {
    // The cache's end would write the rest, under no lock and over what other processes have written by then. SQLite
    // has heard of the errors, and its journal or its WAL has the pages.
    if cache.dirtyPages > 0 { coherence.discard() }
    if locks != nil { ProcessLocks.release(poolFile.descriptor) }
  }

  /// Runs `body` under the lock that every fetch and its end take if the engine is `locked`.
  func withEngineLock<Result: ~Copyable>(_ body: () -> Result) -> Result {
    engineLock.withLock { _ in body() }
  }

  // MARK: Counters

  func add(_ connection: ConnectionCounters) { counters.withLock { $0.append(connection) } }

  func remove(_ connection: ConnectionCounters) {
    counters.withLock { counters in
      counters.removeAll { $0 === connection }
      closedFetches.wrappingAdd(connection.fetches.load(ordering: .relaxed), ordering: .relaxed)
      closedReads.wrappingAdd(connection.reads.load(ordering: .relaxed), ordering: .relaxed)
    }
  }

  /// What the pool did, of all connections since it began.
  var statistics: PoolStatistics {
    let (fetches, reads, pins, connections) = counters.withLock { counters in
      counters.reduce(
        into: (closedFetches.load(ordering: .relaxed), closedReads.load(ordering: .relaxed), 0, counters.count)
      ) {
        $0.0 += $1.fetches.load(ordering: .relaxed)
        $0.1 += $1.reads.load(ordering: .relaxed)
        $0.2 += $1.pins.load(ordering: .relaxed)
      }
    }
    return PoolStatistics(
      engine: options.engine, connections: connections, fetches: fetches, reads: reads, misses: cache.misses,
      pins: pins,
      evictions: cache.evictedPages, invalidations: coherence.invalidations, limit: cache.limit,
      resident: cache.residentPages, dirty: cache.dirtyPages, residentBytes: memory.residentBytes,
      isDirect: poolFile.file.isDirect)
  }
}

/// What one connection counts. It alone writes, so an addition is a load and a store.
final class ConnectionCounters: Sendable {
  let fetches = Atomic<Int>(0)
  let reads = Atomic<Int>(0)
  let pins = Atomic<Int>(0)

  @inline(__always)
  static func add(_ count: Int, to counter: borrowing Atomic<Int>) {
    counter.store(counter.load(ordering: .relaxed) + count, ordering: .relaxed)
  }
}
