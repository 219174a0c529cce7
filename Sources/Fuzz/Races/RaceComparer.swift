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

  /// Runs a pair on both sides.
  public func compare(_ pair: RacePair, seed: UInt64) throws(KernelOracle.Problem) -> RaceResult {
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
    if let failure = try failure(in: ofKernel, by: "the kernel"), try !doGuardsExplain(ofKernel, divided, judge) {
      if pair.mayUseStaleTranslations {
        result.showsStaleTranslation = true
      } else {
        result.failure = result.failure ?? failure
      }
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

  /// Whether the kernel's outcomes are those of orders in which a guard is two steps.
  private func doGuardsExplain(
    _ outcomes: [[String]: Int], _ divided: DividedPair, _ judge: RaceJudge
  ) throws(KernelOracle.Problem) -> Bool {
    guard let finer = divided.withGuardsApart else { return false }
    var judge = judge
    judge.allow(finer, try oracle.answers(to: finer, in: finer.orders))
    return judge.failure(in: outcomes, by: "the kernel") == nil
  }
}

/// Knows which outcomes of a pair some order explains.
struct RaceJudge {
  private let pair: RacePair
  private let isJoint: Bool
  private let pins: [String: RacePieces.PinnedPlace]
  /// The outcomes of all orders.
  private(set) var outcomes: Set<[String]> = []
  private var pieces: [RacePieces] = []

  /// - Parameter answers: those of each order, before the halves, of their steps, and of the looks.
  init(_ pair: RacePair, _ divided: DividedPair, _ answers: [[String]]) {
    self.pair = pair
    isJoint = divided.isJoint
    pins = RacePieces.pins(of: pair)
    allow(divided, answers)
  }

  /// Adds the outcomes of the orders of the pair as it is divided here.
  mutating func allow(_ divided: DividedPair, _ answers: [[String]]) {
    let before = pair.setup.filter(\.isAnswered).count
    let found = answers.map { answers in
      var rest = answers.dropFirst(before)
      let statements = divided.halves.flatMap { $0 }.map { statement in
        rest = rest.dropFirst(statement.preludes.count)
        defer { rest = rest.dropFirst(statement.steps.count) }
        return statement.composed(Array(rest.prefix(statement.steps.count)))
      }
      return statements + rest
    }
    outcomes.formUnion(found)
    if isJoint { return }
    let statements = pair.halves.flatMap { $0 } + pair.looks
    pieces = Array(Set(outcomes.map { RacePieces(statements, $0, pins: pins) }))
  }

  /// The first of the outcomes that no order explains.
  func failure(in outcomes: [[String]: Int], by side: String) -> RaceFailure? {
    guard let (outcome, times) = outcomes.first(where: { !explains($0.key) }) else { return nil }
    return RaceFailure(pair: pair, reason: .outcome(outcome, by: side, times: times))
  }

  func explains(_ outcome: [String]) -> Bool {
    if outcomes.contains(outcome) { return true }
    if isJoint { return false }
    let shown = RacePieces(pair.halves.flatMap { $0 } + pair.looks, outcome, pins: pins)
    return shown.pages.keys.allSatisfy { page in pieces.contains { shown.agrees(with: $0, about: page) } }
  }
}
