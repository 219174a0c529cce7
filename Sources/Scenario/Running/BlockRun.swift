import UserPages

/// Runs the blocks of one file and reports their statements.
final class BlockRun {
  private let machine: ScenarioMachine
  private let lines: [ScenarioLine]
  /// The thread of second halves. Nil if the file has none.
  private let partner: Partner?

  init(_ machine: ScenarioMachine, _ lines: [ScenarioLine]) throws(PageError) {
    self.machine = machine
    self.lines = lines
    partner = lines.contains { $0.statement == .block(.par) } ? try Partner() : nil
  }

  /// Runs `block` and reports its statements in the order of the file.
  func reports(of block: Block) -> [LineReport] {
    guard case .repeated(let times, let blocks) = block else {
      return run(block).map { LineReport(line: lines[$0.line], outcome: $0.outcome) }
    }
    // By line, and for each line in the order first seen.
    var tally: [Int: [LineReport]] = [:]
    for _ in 0..<times {
      for (line, outcome) in blocks.flatMap(run) {
        if let seen = tally[line]?.firstIndex(where: { $0.outcome == outcome }) {
          tally[line]?[seen].times? += 1
        } else {
          tally[line, default: []].append(LineReport(line: lines[line], outcome: outcome, times: 1))
        }
      }
    }
    return tally.sorted { $0.key < $1.key }.flatMap(\.value)
  }

  private func run(_ block: Block) -> [(line: Int, outcome: Outcome)] {
    switch block {
    case .line(let index): [(index, machine.execute(lines[index].statement))]
    case .halves(let first, let second): run(first, besides: second)
    case .repeated(_, let blocks): blocks.flatMap(run)
    }
  }

  private func run(_ first: Range<Int>, besides second: Range<Int>) -> [(line: Int, outcome: Outcome)] {
    guard let partner else { return [] }
    let outcomes = machine.execute(
      lines[first].map(\.statement), besides: lines[second].map(\.statement), with: partner)
    return Array(zip(first, outcomes.first)) + Array(zip(second, outcomes.second))
  }
}
