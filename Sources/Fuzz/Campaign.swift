import Scenario

/// A run of many random programs.
public struct Campaign {
  /// The programs of a run, by how they compared.
  public struct Summary: Sendable {
    /// The programs that ran.
    public var programs = 0
    /// Their statements.
    public var statements = 0
    /// The programs that both sides answered to the end: with the same results, or with a difference.
    public var compared = 0
    /// The programs that real memory cannot answer, by the first statement that it cannot.
    public var incomparable: [String: Int] = [:]
    /// Each shrunk difference with the number of its program.
    public var differences: [(program: Int, Difference)] = []
  }

  /// The seed of every program.
  public let seed: UInt64
  /// The number of the first program.
  public let first: Int
  /// The run ends at this many differences.
  public let limit: Int
  /// What the programs are about, one mode after the other; empty for a little of everything.
  public let modes: [ProgramMode]
  private let comparer: Comparer

  /// - Precondition: `first` is not negative and `limit` is at least 1. `first` plus the number of programs fits in an
  ///   `Int`.
  public init(seed: UInt64, first: Int = 0, limit: Int = 1, modes: [ProgramMode] = [], comparer: Comparer) {
    precondition(first >= 0, "programs are numbered from 0")
    precondition(limit >= 1, "a run ends at its first difference at the earliest")
    self.seed = seed
    self.first = first
    self.limit = limit
    self.modes = modes
    self.comparer = comparer
  }

  /// Runs programs as long as `continues` returns true, which it asks before each.
  ///
  /// - Parameter isInterrupted: ends the run before its next program, and a shrink before its next step.
  /// - Parameter willRun: called with each program before it runs.
  /// - Parameter found: called with each difference and its program's number, after the shrink.
  public func run(
    while continues: (Summary) -> Bool, isInterrupted: @escaping () -> Bool = { false },
    willRun: (ScenarioFile) -> Void = { _ in }, found: (Int, Difference) -> Void = { _, _ in }
  ) throws(KernelOracle.Problem) -> Summary {
    var summary = Summary()
    let shrinker = Shrinker(isInterrupted: isInterrupted, compare: comparer.compare)
    while summary.differences.count < limit, !isInterrupted(), continues(summary) {
      let number = first + summary.programs
      let mode = modes.isEmpty ? nil : modes[number % modes.count]
      var generator = ProgramGenerator(seed: seed, program: number, mode: mode)
      let file = generator.program(path: "program-\(number)")
      willRun(file)
      summary.programs += 1
      summary.statements += file.lines.count
      switch try comparer.compare(file) {
      case .same: summary.compared += 1
      case .incomparable(let line): summary.incomparable["\(line.statement)", default: 0] += 1
      case .different(let difference):
        summary.compared += 1
        let shrunk = try shrinker.shrink(difference)
        summary.differences.append((number, shrunk))
        found(number, shrunk)
      }
    }
    return summary
  }
}
