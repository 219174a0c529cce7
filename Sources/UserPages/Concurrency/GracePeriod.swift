import CPlatform
import Synchronization

/// A grace period that must have ended before a writer goes on (the cookie of `get_state_synchronize_rcu`).
///
/// A writer takes `next` after its change and waits later, or leaves the value with what is to be freed. One grace
/// period serves all changes that were made before it began. Grace periods run one at a time, because liburcu's do. So
/// threads that come while one runs wait for the next one together, and one of them runs it:
///
///     thread A                       thread B                       thread C
///     changes what readers find
///     wait(): runs grace period 1
///                                    changes; wait(): 1 began       changes; wait(): 1 began
///                                    too early, waits for 2         too early, waits for 2
///     1 ends
///                                    runs grace period 2            sleeps
///                                    2 ends                         2 has ended: returns
///
/// One word counts them (`rcu_seq`): it is odd while a grace period runs, and grows by one as it begins and as it ends.
///
/// ORDERING [change-then-grace]: `next` is a fence and a load of the word. A grace period begins with a sequentially
/// consistent exchange of the word, and ends with a store. If the load did not see the beginning, the fence puts the
/// change before the grace period. Then each section that the grace period does not wait for sees the change. If the
/// load did see the beginning, the grace period may have begun before the change, and the value is the one after it.
/// The fence is there for changes that are plain stores: those would otherwise pass the load. The store of the end
/// carries the sections' accesses on to every thread that reads it, as [grace-then-free] says.
struct GracePeriod: Comparable, Sendable {
  /// What the word has come to when it has ended. Even.
  let number: UInt64

  /// No grace period: always over.
  static let none = GracePeriod(number: 0)

  /// The first grace period that begins after this call.
  static var next: GracePeriod {
    // ORDERING [change-then-grace]: the caller's changes come before the load.
    atomicMemoryFence(ordering: .sequentiallyConsistent)
    let now = word.load(ordering: .sequentiallyConsistent)
    return GracePeriod(number: (now + 3) & ~1)
  }

  static func < (left: GracePeriod, right: GracePeriod) -> Bool { left.number < right.number }

  /// Whether this grace period, or one that began after it, has ended. One load.
  ///
  /// ORDERING [grace-then-free]: acquire at least, pairs with the store at the end: what sections did comes before what
  /// the caller frees.
  @inline(__always)
  var hasEnded: Bool { number <= Self.word.load(ordering: .sequentiallyConsistent) }

  /// Whether this grace period runs at this moment. A hint.
  var isUnderWay: Bool { number == Self.word.load(ordering: .relaxed) + 1 }

  /// Returns when this grace period has ended (`cond_synchronize_rcu`). If none runs, the calling thread runs it. If
  /// one runs that began too early, the thread waits for its end.
  ///
  /// - Precondition: not called inside a read-side section, unless the grace period has ended.
  func wait() {
    var isFirst = true
    while true {
      let now = Self.word.load(ordering: .sequentiallyConsistent)
      if now >= number { return }
      RCU.requireNoSection()
      if isFirst { YieldPoint.gracePeriodBeforeWait.reach() }
      isFirst = false
      // The thread that runs a grace period does not come along into a forked child.
      cp_check_not_forked()
      if now & 1 != 0 { Self.sleep(while: now) } else { Self.run(after: now) }
    }
  }

  /// Runs a grace period, unless another thread begins one first.
  private static func run(after now: UInt64) {
    // ORDERING [change-then-grace]: the word says that it runs before it begins.
    guard word.compareExchange(expected: now, desired: now + 1, ordering: .sequentiallyConsistent).exchanged else {
      return
    }
    cp_synchronize()
    YieldPoint.gracePeriodBetweenSectionsAndEnd.reach()
    // ORDERING [grace-then-free]: release at least, pairs with the loads.
    word.store(now + 2, ordering: .sequentiallyConsistent)
    // ORDERING [end-then-wake]: the end first, then the look.
    ends.wrappingAdd(1, ordering: .sequentiallyConsistent)
    if sleepers.load(ordering: .sequentiallyConsistent) > 0 { withFutex { cp_futex_wake($0, .max) } }
  }

  /// Sleeps until the grace period that runs has ended. May return for no reason.
  ///
  /// ORDERING [end-then-wake]: a sleeper counts itself, then looks at the count of ends and at the word. The end
  /// changes both, then looks for sleepers. So either the end sees the sleeper, or the sleeper sees the end. The kernel
  /// compares the count again.
  private static func sleep(while now: UInt64) {
    sleepers.wrappingAdd(1, ordering: .sequentiallyConsistent)
    let seen = ends.load(ordering: .sequentiallyConsistent)
    if word.load(ordering: .sequentiallyConsistent) == now { withFutex { cp_futex_wait($0, seen) } }
    sleepers.wrappingSubtract(1, ordering: .sequentiallyConsistent)
  }

  // The kernel wants the address of the count. An atomic keeps its value in place, and a global one does not move.
  private static func withFutex(_ body: (UnsafeMutablePointer<UInt32>) -> Void) {
    withUnsafePointer(to: ends) { body(UnsafeMutableRawPointer(mutating: $0).assumingMemoryBound(to: UInt32.self)) }
  }

  private static let word = Atomic<UInt64>(0)
  /// Grace periods that have ended, for threads that sleep.
  private static let ends = Atomic<UInt32>(0)
  private static let sleepers = Atomic<Int>(0)
}
