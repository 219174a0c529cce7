import Synchronization

/// Words that could not be freed although their grace period is over: frames that pin slots still hold.
///
/// They need no further grace period, only another look at the slots. So they stay out of the batches, where they would
/// count as work that a grace period could do. If they filled a batch, every fault would cost a grace period.
///
/// When to look again: each drain does. Between drains a thread looks after some tens or hundreds of its faults and
/// unmaps. The distance doubles while looks find nothing to free, and is short again after one that does.
final class HeldBackWords: @unchecked Sendable {
  private static let shortestDistance = 128
  private static let longestDistance = 1024

  private let lock = FutexLock()
  // Guarded by `lock`.
  private var words: [DeferredWord] = []
  // Written under the lock. A read without the lock gets a hint.
  private let heldCount = Atomic<Int>(0)
  private let distance = Atomic<Int>(shortestDistance)

  deinit { precondition(words.isEmpty, "a queue of deferred frees was dropped while pin slots hold frames of it") }

  /// How many words are held back. One relaxed load.
  var count: Int { heldCount.load(ordering: .relaxed) }

  /// Whether a thread that has passed `calls` chances to look, since its last look, is to take this one.
  func isLookDue(after calls: Int) -> Bool { count > 0 && calls >= distance.load(ordering: .relaxed) }

  /// The words that are held back at this moment.
  func copy() -> [DeferredWord] {
    lock.lock()
    defer { lock.unlock() }
    return words
  }

  func add(_ kept: [DeferredWord]) {
    if kept.isEmpty { return }
    lock.lock()
    defer { lock.unlock() }
    words += kept
    heldCount.store(words.count, ordering: .relaxed)
    distance.store(Self.shortestDistance, ordering: .relaxed)
  }

  /// Has `free` look at all words. It returns those that stay.
  ///
  /// - Parameters:
  ///   - mustWait: whether to wait for another thread's look, and look again, so that what could be freed before the
  ///     call is free after it. Otherwise that thread's look will do.
  ///   - free: runs no user's code.
  func look(mustWait: Bool, _ free: (Span<DeferredWord>) -> [DeferredWord]) {
    if count == 0 { return }
    if mustWait { lock.lock() } else if !lock.tryLock() { return }
    defer { lock.unlock() }
    let before = words.count
    // An array that is empty has no span to look at.
    if before > 0 { words = free(words.span) }
    heldCount.store(words.count, ordering: .relaxed)
    let isUseful = words.count < before
    let next = isUseful ? Self.shortestDistance : 2 * distance.load(ordering: .relaxed)
    // What a look costs grows with the number of words.
    distance.store(min(next, max(Self.longestDistance, before)), ordering: .relaxed)
  }
}
