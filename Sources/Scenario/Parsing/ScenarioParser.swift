/// Parses whole scenarios.
///
/// The first pass reads the words of every line. If all lines are right, the second resolves blocks and names from top
/// to bottom. So a misspelt `space` line is reported once, and not again for every line that names the space.
public struct ScenarioParser: Sendable {
  /// The argument that names standard input.
  public static let standardInput = "-"

  private let source: FileSource
  private let input: FileSource

  /// A parser that reads files from `source`, and the argument `-` from `input`.
  public init(source: FileSource = .fileSystem, input: FileSource = .standardInput) {
    self.source = source
    self.input = input
  }

  /// Reads and parses the scenario at `path`.
  public func parse(path: String) throws(ParseFailure) -> ScenarioFile {
    try parse(path: path, from: source)
  }

  /// Reads and parses the scenario that a command's argument names: standard input if it is `-`, else the file at that
  /// path.
  ///
  /// `from PATH` on standard input starts at the current directory.
  public func parse(argument: String) throws(ParseFailure) -> ScenarioFile {
    argument == Self.standardInput ? try parse(path: "<stdin>", from: input) : try parse(path: argument)
  }

  private func parse(path: String, from source: FileSource) throws(ParseFailure) -> ScenarioFile {
    let bytes: [UInt8]
    do {
      bytes = try source.bytes(at: path, limit: Self.largestScenario)
    } catch {
      throw ParseFailure([ParseError(path: path, line: nil, message: error.message)])
    }
    return try parse(bytes[...], path: path)
  }

  /// Parses a scenario's text. Messages call it `path`, and `from PATH` starts at the folder of `path`.
  public func parse(text: String, path: String) throws(ParseFailure) -> ScenarioFile {
    try parse(Array(text.utf8)[...], path: path)
  }

  private func parse(_ bytes: ArraySlice<UInt8>, path: String) throws(ParseFailure) -> ScenarioFile {
    let text = bytes.starts(with: Self.byteOrderMark) ? bytes.dropFirst(Self.byteOrderMark.count) : bytes
    let statements = StatementParser { (copied: String) throws(LineError) -> [UInt8] in
      try self.copy(copied, besides: path)
    }
    var file = ScenarioFile(path: path, lines: [])
    var errors: [ParseError] = []
    for (index, raw) in text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
      do {
        if let line = try parse(line: raw, number: index + 1, statements) { file.lines.append(line) }
      } catch {
        errors.append(ParseError(path: path, line: index + 1, message: error.message))
      }
    }
    // Blocks first: names are looked up by the blocks that they stand in.
    if errors.isEmpty { errors = Self.errors(of: file) }
    guard errors.isEmpty else { throw ParseFailure(errors) }
    return file
  }

  /// The lines of a file that are right alone and wrong where they stand. They are in no block, or have a name that no
  /// line above makes.
  package static func errors(of file: ScenarioFile) -> [ParseError] {
    do {
      _ = try Block.blocks(of: file.lines)
    } catch {
      return [ParseError(path: file.path, line: error.line, message: error.message)]
    }
    var errors: [ParseError] = []
    var scope = NameScope()
    for line in file.lines {
      do {
        try scope.admit(line)
      } catch {
        errors.append(ParseError(path: file.path, line: line.number, message: error.message))
      }
    }
    return errors
  }

  private func parse(
    line: ArraySlice<UInt8>, number: Int, _ statements: StatementParser
  ) throws(LineError) -> ScenarioLine? {
    let words = line.prefix { $0 != UInt8(ascii: "#") }
      .split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") || $0 == UInt8(ascii: "\r") }
      .map { String(decoding: $0, as: UTF8.self) }
    guard !words.isEmpty else { return nil }
    guard let arrow = words.firstIndex(of: "=>") else {
      return ScenarioLine(number: number, statement: try statements.parse(words))
    }
    let statement = try statements.parse(Array(words[..<arrow]))
    if case .block = statement { throw LineError("'\(words[0])' has no result to expect") }
    let expectation = try expectation(Array(words[(arrow + 1)...]), form: statement.resultForm)
    return ScenarioLine(number: number, statement: statement, expectation: expectation)
  }

  private func expectation(_ words: [String], form: ResultForm) throws(LineError) -> Expectation {
    if words.contains("=>") { throw LineError("'=>' stands twice") }
    if words.isEmpty {
      guard form == .bytes else { throw LineError("no result after '=>'") }
      return Expectation("")
    }
    let alternatives = words.split(separator: "or", omittingEmptySubsequences: false)
    // No word before or after an `or`, which can mean a result of no bytes.
    guard form == .bytes || alternatives.allSatisfy({ !$0.isEmpty }) else { throw LineError("no result beside 'or'") }
    return Expectation(alternatives: alternatives.map { result(Array($0), form: form) })
  }

  /// A RESULT in the form in which results are printed.
  private func result(_ words: [String], form: ResultForm) -> String {
    guard words.count == 1, let first = words.first else { return words.joined(separator: " ") }
    switch form {
    case .words: return first
    case .number: return (try? parseNumber(first, "RESULT")).map { String($0) } ?? first
    // The name of an error is never hex digits: each has a letter beyond F.
    case .bytes: return (try? parseBytes(first)).map { ByteString.result($0.bytes) } ?? first
    }
  }

  private func copy(_ path: String, besides scenario: String) throws(LineError) -> [UInt8] {
    var target = path
    if !path.hasPrefix("/"), let slash = scenario.lastIndex(of: "/") {
      target = String(scenario[...slash]) + path
    }
    do {
      return try source.bytes(at: target, limit: Int(Limits.memoryPages) * 4096)
    } catch {
      throw LineError(error.message)
    }
  }

  /// 64 MiB of text.
  private static let largestScenario = 1 << 26
  /// Some editors begin a UTF-8 file with it.
  private static let byteOrderMark: [UInt8] = [0xef, 0xbb, 0xbf]
}
