/// Reports as JSON lines: one object for a statement, a leak, and the total of a quiet run.
///
/// The keys of a statement are `file`, `line`, `statement`, `result`, then `times` in a `repeat`, then `expected` if
/// the file expects something, then `passed`. The order of the keys never changes, so two runs can be compared as text.
struct JSONReport {
  func line(_ report: LineReport, path: String) -> String {
    var fields = [
      ("file", string(path)),
      ("line", String(report.line.number)),
      ("statement", string(report.line.statement.description)),
      ("result", string(report.outcome.description)),
    ]
    if let times = report.times { fields.append(("times", String(times))) }
    if let expectation = report.line.expectation { fields.append(("expected", string(expectation.text))) }
    fields.append(("passed", report.passed ? "true" : "false"))
    return object(fields)
  }

  func leak(_ leak: Leak, path: String) -> String {
    object([
      ("file", string(path)),
      ("leak", object([("frames", String(leak.frames)), ("tableNodes", String(leak.tableNodes))])),
    ])
  }

  func total(passed: Int, failed: Int) -> String {
    object([("passed", String(passed)), ("failed", String(failed))])
  }

  private func object(_ fields: [(String, String)]) -> String {
    "{" + fields.map { "\(string($0.0)):\($0.1)" }.joined(separator: ",") + "}"
  }

  private func string(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case _ where scalar.isControl:
        for unit in UTF16.encode(scalar).map(Array.init) ?? [] {
          let digits = String(unit, radix: 16)
          result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        }
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}
