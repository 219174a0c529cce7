/// Parses whole scenarios.
///
/// Two passes: the words of every line first, then, where all lines could be read, the names from top to bottom. So a
/// misspelt `space` line is reported once, and not again by every line that names it.
public struct ScenarioParser: Sendable {
  private let source: FileSource

  /// A parser that takes files from `source`.
  public init(source: FileSource = .fileSystem) { self.source = source }

  /// Reads and parses the scenario at `path`.
  public func parse(path: String) throws(ParseFailure) -> ScenarioFile {
    let bytes: [UInt8]
    do {
      bytes = try source.bytes(at: path, limit: Self.largestScenario)
    } catch {
      throw ParseFailure([ParseError(path: path, line: nil, message: error.message)])
    }
    return try parse(bytes, path: path)
  }

  /// Parses a scenario's text; `path` names it in messages, and its folder is where `from PATH` starts.
  public func parse(text: String, path: String) throws(ParseFailure) -> ScenarioFile {
    try parse(Array(text.utf8), path: path)
  }

  private func parse(_ text: [UInt8], path: String) throws(ParseFailure) -> ScenarioFile {
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
    if errors.isEmpty {
      var scope = NameScope()
      for line in file.lines {
        do {
          try scope.admit(line)
        } catch {
          errors.append(ParseError(path: path, line: line.number, message: error.message))
        }
      }
    }
    guard errors.isEmpty else { throw ParseFailure(errors) }
    return file
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
    let expectation = try expectation(Array(words[(arrow + 1)...]), form: statement.resultForm)
    return ScenarioLine(number: number, statement: statement, expectation: expectation)
  }

  private func expectation(_ words: [String], form: ResultForm) throws(LineError) -> Expectation {
    if words.contains("=>") { throw LineError("'=>' stands twice") }
    guard let first = words.first else {
      guard form == .bytes else { throw LineError("no result after '=>'") }
      return Expectation("")
    }
    guard words.count == 1 else { return Expectation(words.joined(separator: " ")) }
    switch form {
    case .words: return Expectation(first)
    case .number:
      guard let number = try? parseNumber(first, "RESULT") else { return Expectation(first) }
      return Expectation(String(number))
    case .bytes:
      // An error's name is no hex digits: each has a letter beyond F.
      guard let bytes = try? parseBytes(first) else { return Expectation(first) }
      return Expectation(ByteString.result(bytes.bytes))
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
}
