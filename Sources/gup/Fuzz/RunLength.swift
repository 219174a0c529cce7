/// How long a run of `gup fuzz` goes on: for a number of programs or pairs, for a time, or until the first of both.
struct RunLength {
  private let clock = ContinuousClock()
  private let start: ContinuousClock.Instant
  private let deadline: ContinuousClock.Instant?
  private let count: Int

  /// A run that begins now. Without `count` and `minutes` it has 1000 programs.
  init(count: Int?, minutes: Double?) {
    start = clock.now
    deadline = minutes.map { [start] in start + .seconds($0 * 60) }
    self.count = count ?? (minutes == nil ? 1000 : FuzzCommand.largestNumber)
  }

  /// Whether there is another program after `done`.
  func hasMore(after done: Int) -> Bool { done < count && deadline.map { clock.now < $0 } ?? true }

  /// Seconds since the run began.
  var seconds: Int { Int(((clock.now - start) / .seconds(1)).rounded()) }
}
