import Synchronization

/// A real file behind mappings (Linux's `address_space`, `mm/filemap.c`).
///
/// Pages are read when they are touched, and written back when they were stored to. They are evicted when others need
/// their frames.
///
/// Any size of file lives in at most `limit` frames. A hit costs what any access costs: the entry is there, and the
/// cache is not asked. See <doc:PageCaches> for how to use it.
///
/// **The protocols.** Other comments cite the letters. A page's state is one atomic word (`PageState`). Stores are
/// noticed by write protection: a clean page's entries are read-only, and the first store asks `willStore` before its
/// entry becomes writable. From that follows the invariant on which nothing depends more:
///
/// - (i) A store by an entry or a pin can land in a page's frame only in three states. The page is marked dirty, is
///   under write-back, or is in the cache no more. While it is held, it stays dirty. `write` marks after its bytes.
///
///     write-back of a batch                                 a fault that stores
///     (b1) exchanges the dirty marks for write-back marks   (f0) calls the `willStore` hook
///     (b2) advances the sequence                            (f1) reads the sequence
///     (b3) write-protects and cleans the entries            (f2) `willStore` marks the page dirty
///     (b4) one grace period for the batch                   (f3) locks the entry, reads the sequence again
///     (b5) `willWriteBack`: a database syncs its log        (f4) unchanged: the entry becomes writable
///     (b6) looks at pins, slots and references: what is     a store, a pin
///          held is marked dirty again, and is copied        (s1) reads the entry in a section, stores or takes its hold
///     (b7) writes
///     (b8) clears the write-back marks; after an error
///          marks the pages dirty
///
/// - (c) *Fault against write-back.* The marks change before the sequence, not after. If (f2) came before (b1), its
///   mark is gone. Then (f1) came before (b2) as well. Either (f3) finds the sequence advanced, or it came before (b2),
///   and (b3) finds the entry locked or writable and protects it ([lock-then-validate]). With (b2) before (b1) a fault
///   could mark, lose its mark, and install after (b3): its store would be in no write. (f0) takes as long as a hook
///   likes, and may itself write back. Behind (f1) it would have the fault ask again without end.
/// - (d) *Store against write-back.* A store by an old writable entry is in a section that (b4) waits for, so (b7)
///   writes it. A pin by such an entry is counted or in a slot by then ([pin-then-look], [slot-then-leave]), and a get
///   is a reference more than entries are (`hasOtherReferences`). So (b6) sees it, and the page stays dirty as long as
///   it is held, if only for reading. Once (b6) sees no holder, all that holders stored is visible ([last-put],
///   [slot-release]).
///
///     eviction of a batch                                   a look-up
///     (e1) present -> evicting, if clean and idle           (l1) in a section: finds `present`, retains the frame
///     (e2) empties the entries                              (l2) finds `evicting`: back to `present`, then (l1)
///     (e3) one grace period for the batch, after which
///          the entries' references have fallen
///     (e4) looks at references and slots
///     (e5) not held: evicting -> empty, and puts the
///          cache's reference; held: evicting -> present
///
/// - (g) *Look-up against eviction.* A look-up that found `present` before (e1) retains inside a section that (e3)
///   waits for, and (e4) sees the reference. Any later one finds `evicting` and rescues the page, so that (e5) fails.
///   So no look-up holds a frame number without a reference when (e5) succeeds, and the frame is put at once.
/// - (h) *Fault against eviction.* A fault's answer has a reference, which becomes the entry's. So (e4) sees one until
///   (e2) has emptied the entry and (e3) is over. The sequence is not needed here, and an eviction makes no fault start
///   again.
/// - (j) *Store against eviction.* (e1) succeeds on a clean page only, so by (i) no store is on its way. A store that
///   is about to come finds `evicting` in (f2) and rescues the page, marked dirty.
/// - (k) *Pin against eviction.* A pin by the old entry is counted or in a slot when (e3) is over, and (e4) sees it.
/// - (m) *Fork.* A child is attached before it is given entries, and gets them under the parent's mmap lock. So (b3)
///   and (e2) find it in a further round ([attach-then-copy]).
///
/// Reading, ahead of a thread too, is ordered in `PageReader.swift`, truncation and hole punches in
/// `PageCache+Truncate.swift`. A mapping keeps its backing alive, so a cache ends when no entry shows its pages and no
/// fault asks it.
///
/// **Locks**: `evictionLock`, `writeBackLock`, then the reader's `contentLock` or `copyLock`: see <doc:LockOrder>,
/// level 2. None is held while a fault holds an entry, and none is waited for inside a section.
public final class PageCache: Backing {
  /// What a cache tells its owner. Each runs on the thread that needs it, under no lock of an address space.
  public struct Hooks: Sendable {
    /// Called before the first store to a page that is clean, and before each further mapping of it may store
    /// (`page_mkwrite`). It may wait, and write pages back. A page that `write` is about to add lies beyond the end. If
    /// it throws `outOfMemory`, so does the store. Any other error is a bus error, with a `file`'s step and errno.
    public var willStore: (@Sendable (_ page: Int) throws(PageError) -> Void)?

    /// Called before pages are written: the place to write a log up to the last change of any of them. If it throws,
    /// the pages stay dirty, and the error is reported as the write's.
    ///
    /// In a stable cache (``PageCache/Stability``) only a pin's holder and the hook itself can change the pages from
    /// here until they are copied or written. What the hook stores is written with them. With
    /// ``PageCache/Stability/none`` any program can change them.
    ///
    /// It runs inside write-back. So it gets `busy` where it syncs, flushes, truncates or extends this cache. It gets
    /// `outOfMemory` where it touches a page of it for which another one would have to go.
    public var willWriteBack: (@Sendable (_ pages: [Int]) throws(PageError) -> Void)?

    /// No hook is called unless it is set.
    public init(
      willStore: (@Sendable (_ page: Int) throws(PageError) -> Void)? = nil,
      willWriteBack: (@Sendable (_ pages: [Int]) throws(PageError) -> Void)? = nil
    ) {
      self.willStore = willStore
      self.willWriteBack = willWriteBack
    }
  }

  /// Pages that one grace period of a write-back serves.
  static let batchSize = 128
  /// Pages that one grace period of an eviction serves. It needs no room for copies, so there are more.
  static let evictionBatchSize = 256
  /// What `init` takes.
  package static let (limits, pageCounts) = (1...1 << 31, 0...1 << 40)

  /// The file that the pages are of.
  public let store: any PageStore
  /// The most frames that the cache holds. Pages that were truncated and are still pinned do not count.
  public let limit: Int
  /// Whether what is written of a page is one moment's contents, and how.
  public let stability: Stability
  /// Whether mappings may store to pages. If not, `write` alone changes them.
  public let takesStores: Bool

  let memory: PhysicalMemory
  let hooks: Hooks
  let states: PageStates
  let residents: ResidentPages
  let spaces = BackingUsers()
  let moves = InvalidationSequence()
  /// One evictor at a time: others wait for what it frees.
  let evictionLock = OwnedLock()
  /// One write-back at a time, and none while the length changes.
  let writeBackLock = OwnedLock()
  /// Reads pages, and says how long the file is.
  let reader: PageReader
  /// Held for reading by `write` while it copies into a page of a stable cache.
  let copyLock = ReadWriteLock()
  let errors = Guarded(ErrorSequence())
  /// Pages that were written and not yet synced: a failed sync may have lost them.
  let unsynced = Guarded<Set<Int>>([])
  /// Where held pages are copied. Used under `writeBackLock`.
  let copies: PageBuffer
  /// Stores that found their page being written, since the last batch was (`Stability.adapts`).
  let storesDuringWrites = Atomic<Int>(0)
  let evictions = Atomic<Int>(0)
  let evictedCount = Atomic<Int>(0)
  let missCount = Atomic<Int>(0)
  let copyCount = Atomic<Int>(0)
  /// Up to where the cache's own `sync` has reported errors.
  let position: Guarded<ErrorSequence.Position>

  /// A cache of `store`, which no other cache uses.
  ///
  /// - Parameters:
  ///   - memory: where the frames come from.
  ///   - store: the file.
  ///   - limit: the most frames that the cache holds.
  ///   - stability: whether what is written of a page is one moment's contents, which a checksum or a log needs, and
  ///     how.
  ///   - takesStores: whether mappings may store to pages. If not, `write` alone changes pages, so a hold cannot. A
  ///     write-back then waits for no grace period, and writes a held page from where it lies.
  ///   - maximumPages: how far the file can grow, in pages. By default it is 2^26, and never fewer than the file has.
  ///     It costs address space, not memory.
  ///   - hooks: what is called before stores and writes.
  /// - Throws:
  ///   - `invalidArgument` for a limit outside of `limits`, or for pages outside of `pageCounts`, the file's own too.
  ///   - `outOfMemory` if the process lacks the address space.
  /// - Complexity: O(1), whatever the limit is: the list of places grows with the pages that are in memory together.
  public init(
    _ memory: PhysicalMemory, _ store: any PageStore, limit: Int, stability: Stability = .none,
    takesStores: Bool = true, maximumPages: Int? = nil, hooks: Hooks = Hooks()
  ) throws(PageError) {
    let byteCount = store.byteCount
    let maximumPages = max(maximumPages ?? 1 << 26, Page.count(holding: byteCount))
    guard Self.limits.contains(limit), Self.pageCounts.contains(maximumPages) else { throw .invalidArgument }
    self.memory = memory
    self.store = store
    self.limit = limit
    self.stability = stability
    self.takesStores = takesStores
    self.hooks = hooks
    states = try PageStates(count: maximumPages, memory.allocationFailures)
    residents = ResidentPages(limit: limit)
    reader = PageReader(memory, store, states, residents, byteCount: byteCount)
    copies = try PageBuffer(pages: Self.batchSize, memory.allocationFailures)
    position = Guarded(ErrorSequence().start)
    memory.reclaimer.add(self)
  }

  /// Another's parts, in a cache of its own: see `deinit`.
  private init(successorOf parts: Parts) {
    memory = parts.memory
    store = parts.store
    limit = parts.limit
    stability = parts.stability
    takesStores = parts.takesStores
    hooks = parts.hooks
    states = parts.states
    residents = parts.residents
    reader = parts.reader
    copies = parts.copies
    position = Guarded(ErrorSequence().start)
  }

  private struct Parts {
    let memory: PhysicalMemory
    let store: any PageStore
    let limit: Int
    let stability: Stability
    let takesStores: Bool
    let hooks: Hooks
    let states: PageStates
    let residents: ResidentPages
    let reader: PageReader
    let copies: PageBuffer
  }

  deinit {
    // The end waits for the reader's thread, for a grace period and for the store. None of those may be waited for
    // inside a section.
    if RCU.isReading {
      let parts = Parts(
        memory: memory, store: store, limit: limit, stability: stability, takesStores: takesStores, hooks: hooks,
        states: states, residents: residents, reader: reader, copies: copies)
      return RCU.endOutsideSection(PageCache(successorOf: parts))
    }
    reader.end()
    writeBackAtEnd()
    for (place, page) in residents.pages(in: 0..<states.capacity) { _ = drop(page, at: place) }
    memory.deferred.drainIfFull()
  }

  /// The file's length in bytes.
  public var byteCount: Int { reader.byteCount.load(ordering: .sequentiallyConsistent) }

  public var pageCount: Int { Page.count(holding: byteCount) }

  public var sequence: InvalidationSequence? { moves }

  public var writesBack: Bool { true }

  public var users: BackingUsers? { spaces }

  /// Frames that the cache holds, those being read among them. Never more than `limit`.
  public var residentPages: Int { residents.count }

  /// Pages that hold stores which the file does not have yet, those being written not counted.
  public var dirtyPages: Int { states.dirtyCount }

  /// Look-ups that found their page not in memory, and read it.
  public var misses: Int { missCount.load(ordering: .relaxed) }

  /// Pages that the evictor took away.
  public var evictedPages: Int { evictedCount.load(ordering: .relaxed) }

  /// Pages that were read again after they had been evicted: the sign of a limit that is too low
  /// (`workingset_refault`).
  public var refaults: Int { reader.refaults.load(ordering: .relaxed) }

  /// Pages that were read before a thread asked for them, and what became of them.
  public var readAheadCounts: ReadAheadCounts { states.readAheadCounts }

  /// Pages that were written from a copy, because a pin or a get held them, or for stability.
  public var copiedPages: Int { copyCount.load(ordering: .relaxed) }

  /// Whether a page is in memory at this moment.
  public func isResident(page: Int) -> Bool { page >= 0 && page < pageCount && states[page].pfn != nil }
}
