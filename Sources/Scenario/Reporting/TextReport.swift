/// Reports as lines of text, without control characters. The article `ScenarioLanguage` describes them.
struct TextReport {
  func header(_ path: String) -> String { "# \(path)".escapingControlCharacters }

  func lines(_ report: LineReport) -> [String] {
    let number = report.line.number
    let times = report.times.map { " (\($0) times)" } ?? ""
    var lines = ["\(number): \(report.line.statement) => \(report.outcome)\(times)"]
    if let expectation = report.line.expectation, !report.passed {
      lines.append("\(number): expected \(expectation)")
    }
    return lines.map(\.escapingControlCharacters)
  }

  func leak(_ leak: Leak) -> String { leak.description }

  func total(passed: Int, failed: Int) -> String { "\(passed) passed, \(failed) failed" }
}
