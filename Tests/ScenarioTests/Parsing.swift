import Scenario

/// A file source that holds what a test gives it.
func source(_ files: [String: [UInt8]]) -> FileSource {
  FileSource { (path: String, limit: Int) throws(FileSourceError) -> [UInt8] in
    guard let bytes = files[path] else { throw FileSourceError("cannot read \(path): no such file") }
    guard bytes.count <= limit else { throw FileSourceError("cannot read \(path): it is too large") }
    return bytes
  }
}

/// Parses `text` as the file `dir/t.gup`, beside which stand `files`.
func parse(_ text: String, files: [String: [UInt8]] = [:]) throws(ParseFailure) -> ScenarioFile {
  try ScenarioParser(source: source(files)).parse(text: text, path: "dir/t.gup")
}

/// The messages of the errors in `text`, as `LINE: MESSAGE`.
func errors(_ text: String, files: [String: [UInt8]] = [:]) -> [String] {
  do {
    _ = try parse(text, files: files)
    return []
  } catch {
    return error.errors.map { "\($0.line ?? 0): \($0.message)" }
  }
}

/// Runs `text` and returns its report's lines as `STATEMENT => RESULT`.
func results(_ text: String, files: [String: [UInt8]] = [:]) throws -> [String] {
  let report = ScenarioRunner().run(try parse(text, files: files))
  return report.lines.map { "\($0.line.statement) => \($0.outcome)" }
}
