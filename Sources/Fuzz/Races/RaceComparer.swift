import Scenario
import UserPages

/// What one pair of halves showed on both sides.
public struct RaceResult: Sendable {
  /// The orders of the steps.
  public var orders = 0
  /// The different outcomes of the orders.
  public var allowed = 0
  /// The different outcomes that the raced halves showed in the library, on the kernel, and on the kernel alone.
  public var byLibrary = 0
  public var byKernel = 0
  public var byKernelAlone: Int { kernelAlone.count }
  /// The outcomes of the kernel that the library did not show.
  public var kernelAlone: [[String]] = []
  /// How often the halves ran at once, with all engines and on the kernel.
  public var rounds = 0
  /// The first statement that this machine has no answer to. Then nothing ran.
  public var missing: Statement?
  /// Whether the kernel showed an outcome that only a processor's stale translation explains.
  public var showsStaleTranslation = false
  /// The first thing that is wrong.
  public var failure: RaceFailure?
}

/// An outcome that must not be.
public struct RaceFailure: Sendable, CustomStringConvertible {
  public enum Reason: Sendable {
    /// One after the other, in the same order, the two sides answer differently.
    case order([Int], library: [String], kernel: [String])
    /// The halves raced, and no order explains what came out.
    case outcome([String], by: String, times: Int)
    /// The library held something after it had given everything back.
    case leak(Leak, by: String)
  }

  public var pair: RacePair
  public var reason: Reason

  /// The scenario with what came out, and the reason as a comment.
  public var description: String {
    switch reason {
    case .order(let order, let library, let kernel):
      let divided = DividedPair(pair)
      let statements =
        divided.setup.filter(\.isAnswered) + divided.steps.flatMap { $0.map(\.statement) } + divided.looks
      let text = zip(statements, zip(library, kernel)).map { statement, answers in
        answers.0 == answers.1
          ? "#   \(statement) => \(answers.0)"
          : "#   \(statement) => \(answers.1) on the kernel, \(answers.0) in the library"
      }
      let halves = order.map(String.init).joined()
      return ([pair.file.text + "# in the order \(halves) (0 is the first half) the answers differ:"] + text)
        .joined(separator: "\n")
    case .outcome(let outcome, let side, let times):
      var rest = outcome[...]
      func lines(_ statements: [Statement]) -> [String] { statements.map { "\($0) => \(rest.popFirst() ?? "")" } }
      var text = ["# \(side), \(times) times: no order explains this outcome"] + pair.setup.map(\.description)
      text += ["par"] + lines(pair.halves[0]) + ["and"] + lines(pair.halves[1]) + ["end"] + lines(pair.looks)
      return text.joined(separator: "\n")
    case .leak(let leak, let side): return "\(pair.file.text)# \(side), at the end: \(leak)"
    }
  }
}

/// How often two halves run at once on one side.
///
/// After the fewest rounds the side stops once it has shown as many different outcomes as the orders have. Later rounds
/// would look only for an outcome that no order explains and that these have not shown.
public struct RaceRounds: Sendable {
  public var most: Int
  public var fewest: Int

  public init(most: Int = 100, fewest: Int = 25) {
    self.most = most
    self.fewest = min(fewest, most)
  }

  /// Whether `done` rounds are enough, in which `shown` different outcomes came out.
  func areEnough(_ done: Int, showing shown: Int, goal: Int) -> Bool {
    done >= most || (done >= fewest && shown >= goal)
  }
}

/// Asks both sides for what two halves may show, one after the other, and what they do show, at once.
///
/// Every order of the halves' single-page steps runs on both sides, and the answers must be the same. They are all
/// that is allowed, but for two things: a fault comes apart from its access (`DividedPair.withFaultsApart`), and the
/// pin of a page from the copy of a remote access (`DividedPair.withPinsApart`). On the kernel a guard is two steps
/// (`withGuardsApart`). Then the halves run at once, in the
/// library with every engine and on the kernel.
public final class RaceComparer {
  let oracle: KernelOracle
  private(set) var racers: [LibraryRacer]
  /// How often the halves run at once, with each engine and on the kernel.
  let rounds: RaceRounds

  /// - Parameter rounds: how often the halves run at once, with each engine and on the kernel.
  public init(oracle: KernelOracle, rounds: RaceRounds = RaceRounds()) throws(PageError) {
    self.oracle = oracle
    self.rounds = rounds
    var racers: [LibraryRacer] = []
    for engine in PinEngine.allCases { racers.append(try LibraryRacer(engine: engine)) }
    self.racers = racers
  }

  /// Runs a pair on both sides, unless this machine has no answer to one of its statements.
  public func compare(_ pair: RacePair, seed: UInt64) throws(KernelOracle.Problem) -> RaceResult {
    let statements = pair.setup + pair.halves.flatMap { $0 } + pair.looks
    if let missing = statements.first(where: oracle.lacks) { return RaceResult(missing: missing) }
    let divided = DividedPair(pair)
    let orders = divided.orders
    var result = RaceResult(orders: orders.count)
    let allowed = try oracle.answers(to: divided, in: orders)
    for (number, (order, kernel)) in zip(orders, allowed).enumerated() {
      let library = racers[number % racers.count].answers(to: divided, in: order)
      if library == kernel { continue }
      result.failure = RaceFailure(pair: pair, reason: .order(order, library: library, kernel: kernel))
      return result
    }
    var judge = RaceJudge(pair, divided, allowed)
    result.allowed = judge.outcomes.count
    var knowsParts = false
    // Rarely needed, and many orders: only for an outcome that the orders of whole accesses do not explain.
    func failure(in outcomes: [[String]: Int], by side: String) throws(KernelOracle.Problem) -> RaceFailure? {
      if !knowsParts, judge.failure(in: outcomes, by: side) != nil {
        knowsParts = true
        for finer in divided.withFaultsApart { judge.allow(finer, try oracle.answers(to: finer, in: finer.orders)) }
        for finer in divided.withPinsApart {
          judge.allow(finer, finer.orders.map { racers[0].answers(to: finer, in: $0) })
        }
      }
      return judge.failure(in: outcomes, by: side)
    }
    var ofLibrary: Set<[String]> = []
    for racer in racers {
      let outcomes = racer.outcomes(of: pair, rounds: rounds, goal: result.allowed, seed: seed)
      result.rounds += outcomes.values.reduce(0, +)
      ofLibrary.formUnion(outcomes.keys)
      let found = try failure(in: outcomes, by: "the library, \(racer.engine)")
      result.failure = result.failure ?? found
    }
    let ofKernel = try oracle.outcomes(of: pair, rounds: rounds, goal: result.allowed, seed: seed)
    result.rounds += ofKernel.values.reduce(0, +)
    if try failure(in: ofKernel, by: "the kernel") != nil {
      // The last: the library's guard is one step, and its accesses read the entry each time.
      if let finer = divided.withGuardsApart { judge.allow(finer, try oracle.answers(to: finer, in: finer.orders)) }
      let stale = ofKernel.filter { !judge.explains($0.key) && judge.mayBeStale($0.key) }
      result.showsStaleTranslation = !stale.isEmpty
      let others = ofKernel.filter { stale[$0.key] == nil }
      result.failure = result.failure ?? judge.failure(in: others, by: "the kernel")
    }
    for (index, racer) in racers.enumerated() {
      guard let leak = racer.leak() else { continue }
      result.failure =
        result.failure ?? RaceFailure(pair: pair, reason: .leak(leak, by: "the library, \(racer.engine)"))
      // The end of its memory would trap. It stays, and the next pair has another one.
      _ = Unmanaged.passRetained(racer)
      if let fresh = try? LibraryRacer(engine: racer.engine) { racers[index] = fresh }
    }
    result.byLibrary = ofLibrary.count
    result.byKernel = ofKernel.count
    result.kernelAlone = Array(Set(ofKernel.keys).subtracting(ofLibrary))
    return result
  }
}
