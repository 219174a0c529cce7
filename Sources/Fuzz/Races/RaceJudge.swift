import Scenario

/// Knows which outcomes of a pair some order explains.
struct RaceJudge {
  private let pair: RacePair
  private let isJoint: Bool
  private let places: RacePlaces
  /// The outcomes of all orders.
  private(set) var outcomes: Set<[String]> = []
  /// What each order does to each page.
  private var orders: Set<RacePieces> = []
  /// The errors of the steps of each statement, in all orders.
  private var errors: [Int: Set<String>] = [:]

  /// - Parameter answers: those of each order, before the halves, of their steps, and of the looks.
  init(_ pair: RacePair, _ divided: DividedPair, _ answers: [[String]]) {
    self.pair = pair
    isJoint = divided.isJoint
    places = RacePlaces(pair)
    allow(divided, answers)
  }

  /// Adds the outcomes of the orders of the pair as it is divided here.
  mutating func allow(_ divided: DividedPair, _ answers: [[String]]) {
    let before = pair.setup.filter(\.isAnswered).count
    for answers in Set(answers) {
      var rest = answers.dropFirst(before)
      let halves = divided.halves.flatMap { $0 }.map { statement in
        rest = rest.dropFirst(statement.preludes.count)
        defer { rest = rest.dropFirst(statement.steps.count) }
        return (statement, steps: Array(rest.prefix(statement.steps.count)))
      }
      outcomes.insert(halves.map { $0.composed($1) } + rest)
      orders.insert(RacePieces(halves, Array(zip(pair.looks, rest)), places))
      let looks = zip(pair.looks, rest).map { (steps: [RaceStep(statement: $0)], answers: [$1]) }
      for (number, (steps, answers)) in (halves.map { ($0.steps, $1) } + looks).enumerated() {
        for (step, answer) in zip(steps, answers) where answer != RaceStep.skipped && step.hasFailed(answer) {
          errors[number, default: []].insert(answer)
        }
      }
    }
  }

  /// The first of the outcomes that no order explains.
  func failure(in outcomes: [[String]: Int], by side: String) -> RaceFailure? {
    guard let (outcome, times) = outcomes.first(where: { !explains($0.key) }) else { return nil }
    return RaceFailure(pair: pair, reason: .outcome(outcome, by: side, times: times))
  }

  /// Whether some order has the outcome. If a statement is no single step, each page may be in another order.
  func explains(_ outcome: [String]) -> Bool {
    if outcomes.contains(outcome) { return true }
    if isJoint { return false }
    let shown = pieces(outcome)
    return hasKnownErrors(shown) && disagreeingPages(shown).isEmpty
  }

  /// Whether a processor's stale translation explains the outcome, which no order does.
  ///
  /// An access by such a translation acts as if it came before the change of the entry. Every other page is in some
  /// order that has it there. So the pages on which all orders disagree are among those that one half accesses while
  /// the other half changes their entries. No such access fails: a processor looks again before it reports a fault.
  func mayBeStale(_ outcome: [String]) -> Bool {
    let shown = pieces(outcome)
    let pages = disagreeingPages(shown)
    return !pages.isEmpty && hasKnownErrors(shown) && pages.isSubset(of: pair.racedTranslations(places))
  }

  private func pieces(_ outcome: [String]) -> RacePieces {
    RacePieces(pair.halves.flatMap { $0 } + pair.looks, outcome, places)
  }

  /// Whether each statement that failed did so with an error that it has in some order, at any of its pages.
  private func hasKnownErrors(_ shown: RacePieces) -> Bool {
    shown.errors.allSatisfy { errors[$0.key]?.contains($0.value) ?? false }
  }

  /// The pages on which the outcome agrees with no order.
  private func disagreeingPages(_ shown: RacePieces) -> Set<RacePieces.Page> {
    Set(shown.pages.keys.filter { page in !orders.contains { shown.agrees(with: $0, about: page) } })
  }
}
