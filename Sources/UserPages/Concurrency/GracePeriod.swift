import CPlatform
import Synchronization

/// A grace period that must have ended before a writer goes on (the cookie of `get_state_synchronize_rcu`).
///
/// A writer takes `next` after its change and waits later, or hands the value to another thread that waits. One grace period
/// then serves all changes that were made before it began.
///
///     writer                                   any thread
///     changes what readers can find
///     required = GracePeriod.next
///                                              RCU.synchronize(): takes a number, waits for the sections, notes the number
///     required.wait(): returns at once
///
/// ORDERING [change-then-grace]: `next` is read after the change, and a grace period takes its number before it begins; all
/// sequentially consistent. So a grace period with a number that is not below `next` began after the change.
struct GracePeriod: Comparable, Sendable {
  /// Grace periods are numbered from 1 in the order in which they begin.
  let number: UInt64

  /// No grace period: always over.
  static let none = GracePeriod(number: 0)

  /// The first grace period that begins after this call.
  static var next: GracePeriod { GracePeriod(number: begun.load(ordering: .sequentiallyConsistent) + 1) }

  static func < (left: GracePeriod, right: GracePeriod) -> Bool { left.number < right.number }

  /// Whether this grace period, or one that began after it, has ended.
  var hasEnded: Bool { number <= Self.ended.load(ordering: .sequentiallyConsistent) }

  /// Returns when this grace period has ended; begins one if it has not (`cond_synchronize_rcu`).
  ///
  /// - Precondition: not called inside a read-side section, unless the grace period has ended.
  func wait() { if !hasEnded { RCU.synchronize() } }

  /// Waits until every section that is open now has ended; for `RCU.synchronize` alone.
  static func pass() {
    // ORDERING [change-then-grace]: the number is taken before the grace period begins.
    let number = begun.wrappingAdd(1, ordering: .sequentiallyConsistent).newValue
    cp_synchronize()
    ended.max(number, ordering: .sequentiallyConsistent)
  }

  private static let begun = Atomic<UInt64>(0)
  /// The highest number of a grace period that has ended.
  private static let ended = Atomic<UInt64>(0)
}
