import Scenario

extension KernelOracle {
  /// Runs the pair's steps one after the other, in each of the orders, and returns the answers: of the statements
  /// before the halves, of each half's steps, and of the looks.
  func answers(to pair: DividedPair, in orders: [[Int]]) throws(Problem) -> [[String]] {
    try send(
      Self.program(
        pair.setup, pair.steps.map { $0.map { ($0.continues ? "+ " : "") + $0.statement.description } }, pair.looks)
        + orders.map { "order " + $0.map(String.init).joined() })
    var answers: [[String]] = []
    for _ in orders { answers.append(Self.words(try line())) }
    guard try line() == "done" else { throw .ended }
    return answers
  }

  /// Runs the halves at once, many times, and counts each different outcome: the answers of both halves and of the
  /// looks.
  ///
  /// - Parameter goal: how many different outcomes are enough.
  func outcomes(of pair: RacePair, rounds: RaceRounds, goal: Int, seed: UInt64) throws(Problem) -> [[String]: Int] {
    try send(
      Self.program(pair.setup, pair.halves.map { $0.map(\.description) }, pair.looks)
        + ["race \(rounds.most) \(rounds.fewest) \(goal) \(seed)"])
    var outcomes: [[String]: Int] = [:]
    while true {
      let line = try line()
      if line == "done" { return outcomes }
      let words = Self.words(line)
      guard let count = words.first.flatMap({ Int($0) }) else { throw .ended }
      outcomes[Array(words.dropFirst()), default: 0] += count
    }
  }

  private static func program(_ setup: [Statement], _ halves: [[String]], _ looks: [Statement]) -> [String] {
    let before = ["halves"] + setup.map(\.description) + ["par"] + halves[0]
    return before + ["and"] + halves[1] + ["end"] + looks.map(\.description)
  }

  /// The answers of a line. `-` stands for no bytes.
  private static func words(_ line: String) -> [String] {
    line.split(separator: " ").map { $0 == "-" ? "" : String($0) }
  }
}
