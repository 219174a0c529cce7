import Scenario

/// Two halves that run at once, with what runs before them and what looks at the pages afterwards.
public struct RacePair: Sendable {
  /// The path of the scenario, as messages name it.
  public var path: String
  var setup: [Statement]
  /// The first half and the second.
  var halves: [[Statement]]
  var looks: [Statement]

  init(path: String, setup: [Statement], halves: [[Statement]], looks: [Statement]) {
    self.path = path
    self.setup = setup
    self.halves = halves
    self.looks = looks
  }

  /// The pair that `file` describes. Nil unless the file has exactly one `par`, and no `repeat`.
  public init?(_ file: ScenarioFile) {
    var parts: [[Statement]] = [[]]
    for line in file.lines {
      switch line.statement {
      case .block(.repeat): return nil
      case .block: parts.append([])
      default: parts[parts.count - 1].append(line.statement)
      }
    }
    guard parts.count == 4 else { return nil }
    self.init(path: file.path, setup: parts[0], halves: [parts[1], parts[2]], looks: parts[3])
  }

  /// The scenario.
  public var file: ScenarioFile {
    let blocks: [[Statement]] = [
      setup, [.block(.par)], halves[0], [.block(.and)], halves[1], [.block(.end)], looks,
    ]
    return Self.file(path, blocks.flatMap { $0 })
  }

  /// Whether the steps have more orders than a comparison runs: more than two halves of six steps have.
  public var hasTooManyOrders: Bool {
    let (first, second) = (DividedPair(self).steps[0].count, DividedPair(self).steps[1].count)
    // The number of ways to choose the first half's places.
    var orders = 1
    for place in 1...max(min(first, second), 1) where orders <= Self.mostOrders {
      orders = orders * (first + second + 1 - place) / place
    }
    return first > 0 && second > 0 && orders > Self.mostOrders
  }

  private static let mostOrders = 924

  /// The first statement that this comparison cannot ask of real memory, or nil.
  ///
  /// The kernel's side runs both halves in one process, the first space. Other spaces are forks of that one. A pair
  /// makes its files anew for each run, and files on a disk take long.
  public var firstIncomparable: Statement? {
    let statements = setup + halves.flatMap { $0 } + looks
    let largest = 8192
    let refused = statements.first { statement in
      switch statement {
      case .machine(.memory), .machine(.file), .space(.space(name: firstSpace)): false
      case .machine, .space(.space), .space(.exit(space: firstSpace)): true
      case .space(.fork(let parent, _)): parent != firstSpace
      case .pin(.pin(_, _, _, let options)): options != [.write, .longTerm]
      case .pin(.get(_, _, _, let options)): options != []
      case .access(.read(_, _, let count)), .access(.readRemotely(_, _, let count)),
        .access(.readFile(_, _, let count)),
        .pin(.peek(_, _, let count)):
        count > largest
      case .access(.write(_, _, let bytes)), .access(.writeRemotely(_, _, let bytes)),
        .access(.writeFile(_, _, let bytes)), .pin(.poke(_, _, let bytes)):
        bytes.bytes.count > largest
      case .look, .file(.sync), .file(.onDisk): true
      default: false
      }
    }
    return refused ?? Comparer.firstIncomparable(of: Self.file(path, statements))?.statement
  }

  private var firstSpace: String {
    for case .space(.space(let name)) in setup { return name }
    return ""
  }

  private static func file(_ path: String, _ statements: [Statement]) -> ScenarioFile {
    ScenarioFile(
      path: path, lines: statements.enumerated().map { ScenarioLine(number: $0.offset + 1, statement: $0.element) })
  }
}
