import Scenario
import UserPages

/// A pair of halves with outcomes that the kernel showed when they raced, and the library did not.
///
/// `gup fuzz --races --keep` keeps such pairs as scenarios, with the outcomes as comments.
public struct KernelAlone: Sendable {
  public var pair: RacePair
  /// The answers of both halves and of the looks.
  public var outcomes: [[String]]

  public init(pair: RacePair, outcomes: [[String]]) {
    self.pair = pair
    self.outcomes = outcomes
  }

  /// The pair of a kept scenario with the text `text`. Nil if it is no pair, or has no such outcome.
  public init?(_ file: ScenarioFile, text: String) {
    guard let pair = RacePair(file) else { return nil }
    let outcomes = text.split(separator: "\n").compactMap { line -> [String]? in
      guard line.hasPrefix(Self.prefix), let start = line.firstRange(of: ": ")?.upperBound else { return nil }
      // If the last answer is no bytes, the line ends with a blank, which an editor may have cut off.
      return (line[start...] + " ").split(separator: "; ", omittingEmptySubsequences: false).map {
        $0.last == " " ? String($0.dropLast()) : String($0)
      }
    }
    if outcomes.isEmpty { return nil }
    self.init(pair: pair, outcomes: outcomes)
  }

  /// The scenario with the outcomes as comments.
  public var text: String {
    pair.file.text + outcomes.map { "\(Self.prefix): \($0.joined(separator: "; "))\n" }.joined()
  }

  private static let prefix = "# the kernel alone"

  /// Why the library did not show an outcome, as far as orders tell.
  public enum Reason: Hashable, Sendable {
    /// It shows the outcome, given time: in this round of that engine's.
    case shown(PinEngine, round: Int)
    /// An order of the single-page steps has it.
    case ofAnOrder
    /// The orders of several pages explain it, each another page of one statement.
    case ofOrdersByPage
    /// An access that is apart from its fault, or a remote copy that is apart from its pin.
    case ofParts
    /// A guard of the kernel's is two steps.
    case ofGuards
    /// Nothing but a translation that a processor remembers explains it.
    case ofStaleTranslation
    /// Nothing does.
    case unexplained
  }
}

extension RaceComparer {
  /// Races the library on a kept pair until it has shown all of the outcomes, or up to the most rounds with each
  /// engine. Returns the reason of each outcome.
  public func reasons(for kept: KernelAlone, seed: UInt64) throws(KernelOracle.Problem) -> [KernelAlone.Reason] {
    var missing = Set(kept.outcomes)
    var shown: [[String]: KernelAlone.Reason] = [:]
    for racer in racers {
      racer.race(kept.pair, seed: seed) {
        missing.isEmpty || $0 >= rounds.most
      } found: { round, outcome in
        if missing.remove(outcome) != nil { shown[outcome] = .shown(racer.engine, round: round) }
      }
    }
    if missing.isEmpty { return kept.outcomes.compactMap { shown[$0] } }
    let divided = DividedPair(kept.pair)
    let whole = RaceJudge(kept.pair, divided, try oracle.answers(to: divided, in: divided.orders))
    var parts = whole
    for finer in divided.withFaultsApart { parts.allow(finer, try oracle.answers(to: finer, in: finer.orders)) }
    for finer in divided.withPinsApart {
      parts.allow(finer, finer.orders.map { racers[0].answers(to: finer, in: $0) })
    }
    var guards = parts
    if let finer = divided.withGuardsApart { guards.allow(finer, try oracle.answers(to: finer, in: finer.orders)) }
    return kept.outcomes.map { outcome in
      if let reason = shown[outcome] { return reason }
      if whole.outcomes.contains(outcome) { return .ofAnOrder }
      if whole.explains(outcome) { return .ofOrdersByPage }
      if parts.explains(outcome) { return .ofParts }
      if guards.explains(outcome) { return .ofGuards }
      return guards.mayBeStale(outcome) ? .ofStaleTranslation : .unexplained
    }
  }
}
