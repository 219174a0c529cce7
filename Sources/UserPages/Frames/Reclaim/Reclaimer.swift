import Synchronization

/// A cache of pages that can be read again: what reclaim takes first.
protocol ReclaimableCache: AnyObject, Sendable {
  /// Frames that the cache holds now. As many looks are a turn of its clock.
  var residentPages: Int { get }

  /// Looks at up to `count` pages from the hand of the clock on, and frees up to `most` of `zone` that are not held. If
  /// `sparingAccessed`, it frees none that was accessed since the last look. Dirty ones are written first. Returns how
  /// many frames are free.
  ///
  /// - Parameter kept: gets what must be released when no lock is held.
  func shrink(
    looking count: Int, atMost most: Int, of zone: ReclaimZone, sparingAccessed: Bool,
    keepingIn kept: inout [AnyObject]
  ) -> Int
}

/// Memory that can be swapped out, which reclaim takes last: a space's anonymous memory, or a memory file.
protocol ReclaimableSpace: AnyObject, Sendable {
  /// Turns the hand of a clock over the memory, at most once. Up to `most` pages of `zone` that are not held are left
  /// to the swap file's writer, which frees them. If `sparingAccessed`, none of them was accessed since the last look.
  /// Returns how many.
  ///
  /// - Parameter kept: gets what must be released when no lock is held.
  func swapOut(
    atMost most: Int, of zone: ReclaimZone, sparingAccessed: Bool, keepingIn kept: inout [AnyObject]
  ) -> Int

  /// Frees the frames that partial unmaps left in 2 MiB that the space alone maps. Returns how many.
  func breakUpLeftovers() -> Int
}

/// The caches and spaces that a machine can take pages from (Linux's `mm/vmscan.c`). With them are the lock under which
/// that happens, and the background thread that does it.
///
/// Caches and spaces are registered when they are made, and not kept alive. One thread reclaims at a time. The others
/// wait and find what it has freed. So the thread that finds nothing to take back can be believed.
///
/// Locks: see <doc:LockOrder>, level 1 for `lock`, level 8 for the list of caches and spaces.
final class Reclaimer: @unchecked Sendable {
  let policy: ReclaimPolicy
  let watermarks: Watermarks
  /// Held by the thread that reclaims.
  let lock = OwnedLock()
  /// How often a thread has reclaimed, and what came of the last time. Written under `lock`.
  let passes = Atomic<Int>(0)
  let lastFreed = Atomic<Int>(0)
  let underWay = ReclaimPasses()

  private struct Registered {
    /// Tells it from all others.
    var serial = 0
    weak var cache: (any ReclaimableCache)?
    weak var space: (any ReclaimableSpace)?
  }

  private struct Registry {
    var all: [Registered] = []
    var lastSerial = 0
    /// How many there were when those that have ended were last dropped.
    var swept = 16
    /// The space that reclaim begins with next, as an index that is taken modulo their number.
    var nextSpace = 0
  }

  // Weak references are loaded, and what they gave is released, outside of the lock.
  private let registry = Guarded(Registry())

  // The background thread. All below is guarded by `monitor`, but for the hint.
  private let monitor = Monitor()
  private weak var memory: PhysicalMemory?
  private var thread: ServiceThread?
  private var isWanted = false
  private var isEnding = false
  /// Whether a wake-up would change nothing: the thread is at work, or there was nothing to take back the last times.
  private let ignoresWakes = Atomic<Bool>(false)

  init(_ policy: ReclaimPolicy, _ watermarks: Watermarks) {
    self.policy = policy
    self.watermarks = watermarks
  }

  // MARK: Caches and spaces

  func add(_ cache: any ReclaimableCache) { add(Registered(cache: cache)) }
  func add(_ space: any ReclaimableSpace) { add(Registered(space: space)) }

  private func add(_ one: Registered) {
    let isLong = registry.withLock { registry in
      registry.lastSerial += 1
      registry.all.append(one)
      registry.all[registry.all.count - 1].serial = registry.lastSerial
      return registry.all.count > 2 * registry.swept
    }
    // The look at a weak reference may be an object's last one, and its end a user's: not in every scope. It keeps the
    // object alive as a reclaim does.
    if isLong, ReclaimScope.mayRelease { underWay.run(sweep) }
  }

  /// Drops those that have ended.
  private func sweep() {
    let all = registry.withLock { $0.all }
    let ended = Set(all.filter { $0.cache == nil && $0.space == nil }.map(\.serial))
    registry.withLock { registry in
      registry.all.removeAll { ended.contains($0.serial) }
      registry.swept = max(registry.all.count, 16)
    }
  }

  /// The caches that live. `kept` gets them, and is released when no lock is held.
  func caches(keepingIn kept: inout [AnyObject]) -> [any ReclaimableCache] {
    let living = registry.withLock { $0.all }.compactMap(\.cache)
    kept += living.map { $0 as AnyObject }
    return living
  }

  /// The spaces that live, each time another one first.
  func spaces(keepingIn kept: inout [AnyObject]) -> [any ReclaimableSpace] {
    let (all, first) = registry.withLock { registry in
      registry.nextSpace &+= 1
      return (registry.all, registry.nextSpace)
    }
    let living = all.compactMap(\.space)
    kept += living.map { $0 as AnyObject }
    guard !living.isEmpty else { return [] }
    let start = first % living.count
    return Array(living[start...] + living[..<start])
  }

  // MARK: The background thread

  /// Has the background thread look whether few frames are free. Any thread that holds no lock of the allocator's. One
  /// relaxed load if the thread is at work.
  func wake(for memory: PhysicalMemory) {
    guard policy.usesBackgroundThread, !ignoresWakes.load(ordering: .relaxed) else { return }
    monitor.locked {
      guard !isWanted, !isEnding else { return }
      isWanted = true
      ignoresWakes.store(true, ordering: .relaxed)
      if thread == nil {
        self.memory = memory
        thread = ServiceThread.start("gup-reclaim") { [self] in runInBackground() }
      }
      // Where the process has no thread to spare, allocations reclaim by themselves.
      if thread == nil { isWanted = false } else { monitor.wakeAll() }
    }
  }

  /// Says that a thread has freed something, so that the background thread may succeed again.
  func noteProgress() {
    guard ignoresWakes.load(ordering: .relaxed) else { return }
    monitor.locked { if !isWanted { ignoresWakes.store(false, ordering: .relaxed) } }
  }

  /// Ends the background thread. The machine's end: nothing is allocated any more.
  func end() {
    let thread = monitor.locked { () -> ServiceThread? in
      isEnding = true
      monitor.wakeAll()
      defer { self.thread = nil }
      return self.thread
    }
    thread?.join()
  }

  /// The thread's life. It holds the machine only while it works: the machine may end with that last reference, on this
  /// thread, which then ends as well.
  private func runInBackground() {
    while let memory = waitForWork() {
      let isFutile = !memory.reclaimInBackground()
      monitor.locked {
        isWanted = false
        ignoresWakes.store(isFutile, ordering: .relaxed)
      }
    }
  }

  private func waitForWork() -> PhysicalMemory? {
    let isOver = monitor.locked { () -> Bool in
      while !isWanted, !isEnding { monitor.wait() }
      return isEnding
    }
    return isOver ? nil : memory
  }
}
