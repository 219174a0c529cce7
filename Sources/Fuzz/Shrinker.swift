import Scenario

/// Reduces a scenario that shows a difference to a small one.
public struct Shrinker {
  /// Compares a smaller scenario.
  public typealias Compare = (ScenarioFile) throws(KernelOracle.Problem) -> Comparison

  private let isInterrupted: () -> Bool
  private let compare: Compare

  /// - Parameter isInterrupted: asked before each step. The shrink ends if it returns true.
  public init(isInterrupted: @escaping () -> Bool = { false }, compare: @escaping Compare) {
    self.isInterrupted = isInterrupted
    self.compare = compare
  }

  /// Returns the smallest scenario found that still shows a difference, not necessarily the same one.
  public func shrink(_ difference: Difference) throws(KernelOracle.Problem) -> Difference {
    var best = difference
    // Statements after the difference do not matter, unless only the end shows it.
    if best.leak == nil, let shorter = try attempt(Array(best.file.lines.prefix(best.place + 1))) { best = shorter }
    var improved = true
    while improved {
      improved = try removeNames(from: &best)
      var piece = max(best.file.lines.count / 2, 1)
      while piece >= 1 {
        if try removePieces(of: piece, from: &best) { improved = true }
        piece /= 2
      }
      if try simplifyLines(of: &best) { improved = true }
    }
    return best
  }

  /// Tries to remove each run of `count` lines. Returns whether it removed one.
  private func removePieces(of count: Int, from best: inout Difference) throws(KernelOracle.Problem) -> Bool {
    var improved = false
    var end = best.file.lines.count
    while end > 0 {
      let start = max(end - count, 0)
      var lines = best.file.lines
      lines.removeSubrange(start..<min(end, lines.count))
      if lines.count < best.file.lines.count, let smaller = try attempt(lines) {
        best = smaller
        improved = true
        end = min(start, best.file.lines.count)
      } else {
        end -= count
      }
    }
    return improved
  }

  /// Tries to remove every line about one pin or one space. These lines are seldom neighbours.
  private func removeNames(from best: inout Difference) throws(KernelOracle.Problem) -> Bool {
    var improved = false
    for name in Set(best.file.lines.flatMap(\.statement.names)).sorted() {
      let lines = best.file.lines.filter { !$0.statement.names.contains(name) }
      if lines.count < best.file.lines.count, let smaller = try attempt(lines) {
        best = smaller
        improved = true
      }
    }
    return improved
  }

  private func simplifyLines(of best: inout Difference) throws(KernelOracle.Problem) -> Bool {
    var improved = false
    for index in best.file.lines.indices {
      for simpler in best.file.lines[index].statement.simplifications {
        var lines = best.file.lines
        guard lines.indices.contains(index) else { break }
        lines[index].statement = simpler
        guard let smaller = try attempt(lines), smaller.file.lines.count == lines.count else { continue }
        best = smaller
        improved = true
        break
      }
    }
    return improved
  }

  /// Returns the difference that `lines` show. Returns nil if they are no scenario or show none.
  private func attempt(_ lines: [ScenarioLine]) throws(KernelOracle.Problem) -> Difference? {
    if isInterrupted() { return nil }
    let text = lines.map { "\($0.statement)\n" }.joined()
    // A line that made a name may be gone.
    guard let file = try? ScenarioParser().parse(text: text, path: "shrunk") else { return nil }
    if case .different(let difference) = try compare(file) { return difference }
    return nil
  }
}
