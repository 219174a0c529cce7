/// When a thread looks at its list of deferred words next, what it found there, and what a batch weighs.
///
/// For the list's owner alone. A `DeferredQueue` keeps one for each list, on lines of its own.
struct BatchSchedule {
  /// What a thread's words weigh, in bytes, before `drainIfFull` waits for a grace period: at least, and at most.
  ///
  /// A grace period costs 1 us while no other thread of the process runs, and some tens while others do. What a small
  /// batch frees is used again while the caches hold it. A large one interrupts the other threads less often.
  static let leastWeight = 128 << 10
  static let mostWeight = 256 << 10
  /// What a batch weighs, within those bounds, for each microsecond that the thread waited for a grace period.
  private static let weightPerMicrosecond = 16 << 10

  /// What the list's words have weighed, from the first on.
  var weight = 0
  /// The weight at which the owner looks again.
  private var nextLook = leastWeight / 8
  /// What a batch weighs now, and what the last wait for a grace period alone would make it.
  private(set) var batchWeight = leastWeight
  private var weightByLastWait = leastWeight
  /// A grace period not before `cookie` serves the words before `cut`.
  private var cut = 0
  private var cookie = GracePeriod.none
  /// Calls of `drainIfFull` since the last one that looked at the words held back.
  var callsSinceLook = 0
  private let padding: InlineArray<9, UInt64> = .init(repeating: 0)

  /// Whether the owner is to look at its list.
  var isDue: Bool { weight >= nextLook }

  /// Words before this index have had their grace period: one of any thread.
  var served: Int { cookie.hasEnded ? cut : 0 }

  /// Decides what fills the batches from now on: the last one's grace period took `wait`.
  ///
  /// The shorter of two waits decides: a thread that loses its processor waits long, whatever a grace period costs.
  mutating func weigh(after wait: Duration) {
    let weight = Int(min(wait / .microseconds(1), 1000)) * Self.weightPerMicrosecond
    let bounded = min(max(weight, Self.leastWeight), Self.mostWeight)
    batchWeight = min(bounded, weightByLastWait)
    weightByLastWait = bounded
  }

  /// Cuts the list at its end, so that any thread's grace period from now on serves what is in it. Cuts nothing, and
  /// returns true, if a whole batch waits.
  ///
  /// ORDERING [deferred-free]: the caller has read `end`. The cookie is taken here, after it. While a cookie's grace
  /// period is under way, words that came after it began are not cut.
  mutating func cutOrFindFull(end: Int, freedWeight: Int) -> Bool {
    nextLook = weight + batchWeight / 8
    let most = cookie.isUnderWay ? 2 * batchWeight : batchWeight
    if weight - freedWeight >= most { return true }
    let next = GracePeriod.next
    if cookie == next || cookie.hasEnded {
      cookie = next
      cut = end
    }
    return false
  }
}
