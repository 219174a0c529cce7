import Scenario

/// A run of many random pairs of halves.
public struct RaceCampaign {
  /// What the pairs of a run showed.
  public struct Summary: Sendable {
    /// The pairs that were written, those that were not compared included.
    public var pairs = 0
    /// The pairs that this machine cannot answer, by the first statement that it has no answer to.
    public var incomparable: [String: Int] = [:]
    /// The orders of their steps.
    public var orders = 0
    /// The different outcomes of the orders.
    public var allowed = 0
    /// The different outcomes of the raced halves: in the library, on the kernel, and on the kernel and not in the
    /// library.
    public var byLibrary = 0
    public var byKernel = 0
    public var byKernelAlone = 0
    /// How often halves ran at once, in the library with each engine and on the kernel.
    public var rounds = 0
    /// The pairs that had an outcome on the kernel which only a processor's stale translation explains.
    public var staleTranslations = 0
    /// The pairs with an outcome that no order explains, by number.
    public var failures: [(pair: Int, RaceFailure)] = []
  }

  /// The seed of every pair.
  public let seed: UInt64
  /// The number of the first pair.
  public let first: Int
  /// The run ends at this many failures.
  public let limit: Int
  private let comparer: RaceComparer

  /// - Precondition: `first` is not negative and `limit` is at least 1.
  public init(seed: UInt64, first: Int = 0, limit: Int = 1, comparer: RaceComparer) {
    precondition(first >= 0, "pairs are numbered from 0")
    precondition(limit >= 1, "a run ends at its first failure at the earliest")
    self.seed = seed
    self.first = first
    self.limit = limit
    self.comparer = comparer
  }

  /// Runs pairs as long as `continues` returns true, which it asks before each.
  ///
  /// - Parameter isInterrupted: ends the run before its next pair.
  /// - Parameter willRun: called with each pair before it runs.
  /// - Parameter found: called with each failure and its pair's number.
  /// - Parameter didRace: called with each pair, its number and what it showed.
  public func run(
    while continues: (Summary) -> Bool, isInterrupted: () -> Bool = { false }, willRun: (RacePair) -> Void = { _ in },
    found: (Int, RaceFailure) -> Void = { _, _ in }, didRace: (Int, RacePair, RaceResult) -> Void = { _, _, _ in }
  ) throws(KernelOracle.Problem) -> Summary {
    var summary = Summary()
    while summary.failures.count < limit, !isInterrupted(), continues(summary) {
      let number = first + summary.pairs
      var generator = RaceGenerator(seed: seed, pair: number)
      let pair = generator.pair(path: "pair-\(number)")
      willRun(pair)
      let result = try comparer.compare(pair, seed: seed ^ UInt64(number))
      summary.pairs += 1
      summary.orders += result.orders
      summary.allowed += result.allowed
      summary.byLibrary += result.byLibrary
      summary.byKernel += result.byKernel
      summary.byKernelAlone += result.byKernelAlone
      summary.rounds += result.rounds
      if result.showsStaleTranslation { summary.staleTranslations += 1 }
      if let missing = result.missing {
        summary.incomparable["\(missing)", default: 0] += 1
        continue
      }
      didRace(number, pair, result)
      if let failure = result.failure {
        summary.failures.append((number, failure))
        found(number, failure)
      }
    }
    return summary
  }
}
