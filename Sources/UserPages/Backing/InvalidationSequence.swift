import Synchronization

/// A number that a backing advances before any answer it has given stops being true.
///
/// A backing that moves pages owns one (`Backing.sequence`). A move and a fault meet like this:
///
///     the backing                                        a fault
///     0. answers `retry` for the page, until it has moved
///     1. advances the sequence                           a. reads the sequence
///     2. has the old entries emptied (`BackingUsers`)    b. asks for the page (`Backing.fault(page:write:)`)
///     3. waits for a grace period, moves the page        c. locks the entry, reads the sequence again
///                                                        d. unchanged: installs; else unlocks, starts again
///
/// ORDERING [lock-then-validate]: step 1 comes before step 2 looks at any entry, and the fault locks its entry before
/// step c. These four accesses have a single order. In it, either the fault finds the sequence advanced, or step 2
/// finds the entry locked. In the second case step 2 waits, and empties what the fault installed. Acquire and release
/// would not order a store before a later load.
///
/// The type is the library's own, so that no code of a user runs while an entry is locked.
public final class InvalidationSequence: Sendable {
  private let count = Atomic<UInt64>(0)

  /// A sequence that was never advanced.
  public init() {}

  /// Makes every answer that was given before the call one that no fault installs any more.
  ///
  /// Call it before the entries that show the old place are emptied. Any thread may call. O(1).
  public func advance() { count.wrappingAdd(1, ordering: .sequentiallyConsistent) }

  /// How often the sequence was advanced.
  var value: UInt64 { count.load(ordering: .sequentiallyConsistent) }
}
