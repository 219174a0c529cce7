/// A parsed scenario: what a `.gup` file says, its names resolved and the files it copies read.
public struct ScenarioFile: Equatable, Sendable {
  /// The path it was read from, as messages and reports name it.
  public var path: String
  /// The statements in order; blank lines and comments are gone.
  public var lines: [ScenarioLine]

  public init(path: String, lines: [ScenarioLine]) {
    self.path = path
    self.lines = lines
  }

  /// The scenario in its own language, one statement a line; parsed, it is this scenario but for the line numbers.
  public var text: String { lines.map { "\($0)\n" }.joined() }

  /// The RAM the machine is made with: what the `memory` statement says, or the contract's default.
  public var memoryPages: Int {
    for line in lines {
      if case .machine(.memory(let pages)) = line.statement { return pages }
    }
    return Limits.defaultMemoryPages
  }

  /// The room of the machine's swap file: what the `swap` statement says, or as many pages as there is RAM.
  public var swapPages: Int {
    for line in lines {
      if case .machine(.swap(let pages)) = line.statement { return pages }
    }
    return memoryPages
  }
}

/// One statement with its place in the file and what the file expects of it.
public struct ScenarioLine: Equatable, Sendable, CustomStringConvertible {
  /// The line number, from 1.
  public var number: Int
  public var statement: Statement
  /// What stands after `=>`, where something does.
  public var expectation: Expectation?

  public init(number: Int, statement: Statement, expectation: Expectation? = nil) {
    self.number = number
    self.statement = statement
    self.expectation = expectation
  }

  /// The statement, and what is expected of it.
  public var description: String { expectation.map { "\(statement) => \($0)" } ?? statement.description }
}
