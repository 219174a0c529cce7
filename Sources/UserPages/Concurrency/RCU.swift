import CPlatform

/// Read-copy-update: readers never wait, and writers wait for readers before they free.
///
/// A *read-side section* is what a reader runs in. A *grace period* is a time in which every section that was open at
/// its start has ended. What a writer made unreachable before a grace period may be freed after it.
///
/// What a program may rely on. Other comments cite the letters:
///
/// - (a) A section waits for nothing: two stores to a cache line of the thread's own. Any thread may enter one at any
///   time: a Foundation thread, a Dispatch worker, a task.
/// - (b) When `synchronize` returns, every section that was open when it was called has ended. Sections that began
///   since may be open.
/// - (c) A section's accesses come before what follows a `synchronize` that waited for it. A writer's accesses before
///   `synchronize` come before those of a section that begins after it returned.
/// - (d) Work given to `deferFree` runs once, after a grace period that begins after the call. It runs outside of
///   sections, of the library's locks, and of calls of a page cache's store or `willWriteBack`.
/// - (e) When `barrier` returns, all work that was given to `deferFree` before the call has run. Inside such work, and
///   inside such a call, it waits for a grace period alone.
///
/// The engine is liburcu's "bulletproof" flavour. Its readers register themselves. Measured (`sections` in
/// Benchmarks), a section costs 0.8 ns. One of the `memb` flavour costs 0.65 ns, but its readers must register and
/// unregister. One of `mb` costs 67 ns, for its fences. One of `qsbr` costs 0.26 ns, but its readers must say when they
/// are in no section. A library cannot ask that of its callers' threads.
public enum RCU {
  /// Runs `body` inside a read-side section (`rcu_read_lock`), and lends it the section as a value.
  ///
  /// A function that must run inside a section takes a `Section`. So it cannot be called outside of one.
  ///
  /// `body` must not block, wait for a grace period, or last longer than some tens of microseconds: a grace period
  /// waits for the longest section. The closure is synchronous, so a task cannot suspend in it.
  ///
  /// Sections nest. One section around many operations keeps what each of them saw until the last one is done. Pins
  /// inside it ask for `fastOnly`: the slow path may wait. The outer section does not make them cheaper: entering one
  /// costs two stores. To save, pin a range.
  @inlinable @inline(__always)
  public static func read<Result: ~Copyable, Failure: Error>(
    _ body: (Section) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    cp_read_lock()
    defer { cp_read_unlock() }
    return try body(Section())
  }

  /// Runs `body` inside a read-side section, as the other `read`, for a closure that calls nothing which needs the
  /// value.
  @inlinable @inline(__always)
  public static func read<Result: ~Copyable, Failure: Error>(
    _ body: () throws(Failure) -> Result
  ) throws(Failure) -> Result {
    cp_read_lock()
    defer { cp_read_unlock() }
    return try body()
  }

  /// Runs `body` inside a read-side section, as `read`, unless the thread was never in one. Returns nil for such a
  /// thread: it must be registered first, which is a call.
  @inlinable @inline(__always)
  static func readIfRegistered<Result>(_ body: (Section) -> Result?) -> Result? {
    guard _fastPath(cp_try_read_lock() != 0) else { return nil }
    // Each way leaves the section by itself: the compiler then keeps no result in a register that says which it was.
    guard let result = body(Section()) else {
      cp_read_unlock()
      return nil
    }
    cp_read_unlock()
    return result
  }

  /// Proof that the calling thread is inside a read-side section.
  ///
  /// `RCU.read` lends it. It has no size and costs nothing. The compiler refuses a program that keeps it longer than
  /// the section lasts, or hands it to another thread.
  @frozen
  public struct Section: ~Escapable {
    @inlinable @inline(__always)
    @_lifetime(immortal)
    init() {}
  }

  /// Waits for a grace period: until every section that is open now has ended (b) (`synchronize_rcu`).
  ///
  /// Threads that wait at the same time share one: it costs two interrupts of each processor that runs the program.
  ///
  /// - Precondition: not called inside a read-side section, where it would wait for itself.
  public static func synchronize() {
    requireNoSection()
    GracePeriod.next.wait()
  }

  /// Whether the calling thread is inside a read-side section.
  package static var isReading: Bool { cp_read_ongoing() != 0 }

  /// Traps inside a section, in release builds with the same message as in debug builds.
  static func requireNoSection() {
    if isReading { fatalError("a grace period inside a read-side section would never end") }
  }

  /// Runs `work` after a grace period (d): when enough work has gathered, or at the next `barrier()` (`call_rcu`).
  ///
  /// It runs on a thread that calls an operation of this library, outside of any section and under none of the
  /// library's locks. So it may call any operation itself. What a thread in a page cache's hook or store finds ready,
  /// it runs when that call is over. It must not need a lock that a thread holds while it calls the library.
  package static func deferFree(_ work: @escaping @Sendable () -> Void) {
    closures.enqueue(.object(DeferredClosure(work)))
    closures.drainIfFull()
  }

  /// Waits until everything that `deferFree` was given before the call has run (e) (`rcu_barrier`).
  ///
  /// Inside such a closure, or inside the `deinit` of an object that the library releases, it waits for a grace period
  /// alone. Two closures that waited for each other would never end. What was deferred before the call then runs when
  /// the calling closure has returned, or is running already on another thread. Inside a page cache's store or
  /// `willWriteBack` the same holds, until that call is over.
  ///
  /// - Precondition: not called inside a read-side section.
  package static func barrier() {
    endings.barrier()
    closures.barrier()
  }

  /// The queue of `deferFree`, made on first use.
  ///
  /// A thread may be making it while another one forks, and the child would wait for that thread for ever. So the look
  /// at the thread's number comes first: it ends a forked child, with its message.
  private static var closures: DeferredQueue {
    _ = ThreadNumber.current
    return closureQueue
  }

  private static let closureQueue = DeferredQueue { _ in preconditionFailure("only closures are deferred here") }
}

@available(*, unavailable)
extension RCU.Section: Sendable {}

/// A closure that runs when the queue gives up its reference, the last one.
private final class DeferredClosure {
  let work: @Sendable () -> Void

  init(_ work: @escaping @Sendable () -> Void) { self.work = work }

  deinit { work() }
}
