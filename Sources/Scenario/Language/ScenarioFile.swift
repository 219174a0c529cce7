/// A parsed scenario: the statements of a `.gup` file, with the contents of the files that it copies.
public struct ScenarioFile: Equatable, Sendable {
  /// The path of the file, as messages and reports name it.
  public var path: String
  /// The statements in order, without blank lines and comments.
  public var lines: [ScenarioLine]

  public init(path: String, lines: [ScenarioLine]) {
    self.path = path
    self.lines = lines
  }

  /// The scenario in its own language, one statement a line. Parsed again, it differs in line numbers only.
  public var text: String { lines.map { "\($0)\n" }.joined() }

  /// The lines in the order and number in which they run.
  ///
  /// - Precondition: every block ends, and none stands where the language has it not. The parser has refused all
  ///   others.
  var blocks: [Block] {
    do { return try Block.blocks(of: lines) } catch { preconditionFailure("line \(error.line): \(error.message)") }
  }

  /// The pages of RAM: the number of the `memory` statement, or the default.
  public var memoryPages: Int {
    for line in lines {
      if case .machine(.memory(let pages, _)) = line.statement { return pages }
    }
    return Limits.defaultMemoryPages
  }

  /// How many of the pages of RAM are for memory that can be moved.
  public var movablePages: Int {
    for line in lines {
      if case .machine(.memory(_, let movable)) = line.statement { return movable }
    }
    return 0
  }

  /// The pages of swap: the number of the `swap` statement, or as many as there is RAM.
  public var swapPages: Int { statedSwapPages ?? memoryPages }

  /// Whether an allocation may take anonymous memory where no frame is free: if there is a `swap` statement.
  public var swapsForAllocations: Bool { statedSwapPages != nil }

  private var statedSwapPages: Int? {
    for line in lines {
      if case .machine(.swap(let pages)) = line.statement { return pages }
    }
    return nil
  }
}

/// One statement, its line and its expected result.
public struct ScenarioLine: Equatable, Sendable, CustomStringConvertible {
  /// The line number, from 1.
  public var number: Int
  /// The statement.
  public var statement: Statement
  /// The words after `=>`.
  public var expectation: Expectation?

  public init(number: Int, statement: Statement, expectation: Expectation? = nil) {
    self.number = number
    self.statement = statement
    self.expectation = expectation
  }

  /// The statement and the expectation, as a file has them.
  public var description: String { expectation.map { "\(statement) => \($0)" } ?? statement.description }
}
