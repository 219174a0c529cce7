/// The names that the lines of a block make and give back.
///
/// The halves of a `par` run in any order, so what one half makes or gives back is not named in the other. A `repeat`
/// runs again from its first line, so after its last line the same things are there as before the first.
struct BlockScope {
  /// A thing that a file's lines make and give back.
  enum Thing: Hashable {
    case space(String)
    case pin(String)
    case mirror(String)

    var words: String {
      switch self {
      case .space(let name): "space '\(name)'"
      case .pin(let name): "pin '\(name)'"
      case .mirror(let name): "mirror '\(name)'"
      }
    }
  }

  private struct Use {
    var line: Int
    /// Whether the line makes the thing or gives it back.
    var changes: Bool
  }

  /// What each half of the `par` has named so far. Empty outside.
  private var halves: [[Thing: Use]] = []
  /// The `repeat` with what was there before its first line.
  private var start: (line: Int, things: Set<Thing>)?

  /// Whether a block is open.
  var isOpen: Bool { start != nil || !halves.isEmpty }

  /// Enters, divides or leaves a block. `things` are those that are there at this line.
  mutating func admit(_ statement: BlockStatement, _ line: Int, _ things: Set<Thing>) throws(LineError) {
    switch statement {
    case .par: halves = [[:]]
    case .and: halves.append([:])
    case .repeat: start = (line, things)
    case .end where !halves.isEmpty: halves = []
    case .end:
      guard let (first, before) = start else { return }
      start = nil
      if let made = things.subtracting(before).map(\.words).min() {
        throw LineError("\(made) is made in the repeat of line \(first) and not given back there")
      }
      if let lost = before.subtracting(things).map(\.words).min() {
        throw LineError("\(lost) is given back in the repeat of line \(first) and not made there")
      }
    }
  }

  /// Notes that a line names `thing`.
  mutating func use(_ thing: Thing, changes: Bool, _ line: Int) throws(LineError) {
    guard let half = halves.indices.last else { return }
    if half > 0, let other = halves[0][thing], other.changes || changes {
      let use = other.changes ? "made or given back" : "named"
      throw LineError("\(thing.words) is \(use) in the other half, on line \(other.line)")
    }
    let changed = halves[half][thing]?.changes ?? false
    halves[half][thing] = Use(line: line, changes: changes || changed)
  }
}
