import CPlatform

/// Read-copy-update: readers never wait, writers wait for readers before they free.
///
/// A *read-side section* is cheap (two stores to a line of the reader's own) and may be entered from any thread:
/// Foundation threads, Dispatch workers, tasks. A *grace period* is a time in which every section that was open at its
/// start has ended. What a writer made unreachable before a grace period may be freed after it.
///
/// Corresponds to `rcu_read_lock`, `synchronize_rcu` and `call_rcu`; the engine is liburcu's "bulletproof" flavour. Measured
/// (`sections` in Benchmarks), a section of it costs 0.8 to 1.0 ns, as one of the `memb` flavour does, whose readers must register
/// and unregister; `mb`'s costs 65 ns and more, for its fences; `qsbr`'s 0.3 ns, but its readers must say when they are in no
/// section and go offline before they sleep, which a library cannot ask of its callers' threads.
public enum RCU {
  /// Runs `body` inside a read-side section.
  ///
  /// The closure is synchronous, so a task cannot suspend inside a section. Sections nest. They must not block, wait for
  /// a grace period, or last longer than some tens of microseconds: a grace period waits for the longest.
  ///
  /// Because sections nest, one around many operations is a batch section: what they read belongs together as far as
  /// lifetimes go, and nothing they saw is freed between them. Inside it pins are asked for with `fastOnly`, since only the
  /// fast path may run here (64 at a time are some tenths of a microsecond, well within bounds). It does not make them
  /// cheaper: the inner sections' stores go to the same line. Measured in one run, a slot pin and its release cost 5.3 ns
  /// with a section each and 5.3 ns with 64 of them inside one. A range pinned in one walk is what saves.
  @inlinable @inline(__always)
  public static func read<Result: ~Copyable, Failure: Error>(
    _ body: () throws(Failure) -> Result
  ) throws(Failure) -> Result {
    cp_read_lock()
    defer { cp_read_unlock() }
    return try body()
  }

  /// Waits until every read-side section that is open now has ended (`synchronize_rcu`).
  ///
  /// - Precondition: not called inside a read-side section, where it would wait for itself.
  public static func synchronize() {
    requireNoSection()
    GracePeriod.pass()
  }

  /// Whether the calling thread is inside a read-side section.
  public static var isReading: Bool { cp_read_ongoing() != 0 }

  /// Traps inside a section, in release builds with the same message as in debug builds.
  static func requireNoSection() {
    if isReading { fatalError("a grace period inside a read-side section would never end") }
  }

  /// Runs `work` after a grace period (`call_rcu`): when enough work has gathered, or at the next `barrier()`.
  ///
  /// It runs on a thread that calls an operation of this library, outside of any section and under none of the library's locks, so
  /// it may call any operation itself. It must not need a lock that a thread holds while it calls the library.
  public static func deferFree(_ work: @escaping @Sendable () -> Void) {
    closures.enqueue(.object(DeferredClosure(work)))
    closures.drainIfFull()
  }

  /// Returns when everything that `deferFree` was given before the call has run (`rcu_barrier`).
  ///
  /// Called inside such a closure, or inside the `deinit` of an object that the library releases, it waits for a grace period
  /// and for no closure: two closures that waited for each other would never end. What was deferred before the call then runs
  /// when the calling closure has returned, or is running already on another thread.
  ///
  /// - Precondition: not called inside a read-side section.
  public static func barrier() {
    endings.barrier()
    closures.barrier()
  }

  private static let closures = DeferredQueue { _ in preconditionFailure("only closures are deferred here") }
}

/// A closure that runs when the queue gives up its reference, the last one.
private final class DeferredClosure {
  let work: @Sendable () -> Void

  init(_ work: @escaping @Sendable () -> Void) { self.work = work }

  deinit { work() }
}
