import Scenario

/// A run of many random programs.
public struct Campaign {
  /// What a run came to.
  public struct Summary: Sendable {
    public var programs = 0
    public var statements = 0
    public var chances: [Chance: Int] = [:]
    /// Shrunk; each with the number of its program.
    public var differences: [(program: Int, Difference)] = []
  }

  public var seed: UInt64
  /// The number of the first program.
  public var first: Int
  /// How many differences end the run.
  public var limit: Int
  private let comparer: Comparer

  public init(seed: UInt64, first: Int = 0, limit: Int = 1, comparer: Comparer) {
    self.seed = seed
    self.first = first
    self.limit = limit
    self.comparer = comparer
  }

  /// Runs programs while `goes(on:)` says so. `willRun` is told each before it runs, `found` each difference, shrunk.
  public func run(
    while goesOn: (Summary) -> Bool, willRun: (ScenarioFile) -> Void = { _ in },
    found: (Int, Difference) -> Void = { _, _ in }
  ) throws(KernelOracle.Problem) -> Summary {
    var summary = Summary()
    while summary.differences.count < limit, goesOn(summary) {
      let number = first + summary.programs
      var generator = ProgramGenerator(seed: seed, program: number)
      let file = generator.program(path: "program-\(number)")
      willRun(file)
      summary.programs += 1
      summary.statements += file.lines.count
      switch try comparer.compare(file) {
      case .same, .incomparable: break
      case .chance(let chance): summary.chances[chance, default: 0] += 1
      case .different(let difference):
        let shrunk = try Shrinker(compare: comparer.compare).shrink(difference)
        summary.differences.append((number, shrunk))
        found(number, shrunk)
      }
    }
    return summary
  }
}
