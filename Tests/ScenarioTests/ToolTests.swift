import Foundation
import Testing

/// The tool as a program: what it writes to which stream, and its exit status.
@Suite struct ToolTests {
  /// Runs `gup`, which the build puts beside the test program.
  func gup(_ arguments: String...) throws -> (status: Int32, output: String, errors: String) {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
      .appendingPathComponent("gup")
    process.arguments = arguments
    let output = Pipe()
    let errors = Pipe()
    process.standardOutput = output
    process.standardError = errors
    try process.run()
    // Both fit in a pipe's buffer: nothing blocks on the one not read yet.
    let outputText = try output.fileHandleForReading.readToEnd() ?? Data()
    let errorText = try errors.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    return (
      process.terminationStatus, String(decoding: outputText, as: UTF8.self),
      String(decoding: errorText, as: UTF8.self)
    )
  }

  /// A file that is gone when the test is over.
  func withScenario(_ text: String, _ body: (_ path: String) throws -> Void) throws {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID().uuidString).gup").path
    try text.write(toFile: path, atomically: true, encoding: .utf8)
    defer { try? FileManager.default.removeItem(atPath: path) }
    try body(path)
  }

  @Test func passes() throws {
    try withScenario("space A\nentry A 0x1000 => none\n") { path in
      let run = try gup("scenario", path)
      #expect(run.status == 0)
      #expect(run.output == "1: space A => ok\n2: entry A 0x1000 => none\n")
      #expect(run.errors == "")
    }
  }

  @Test func fails() throws {
    try withScenario("space A\nread A 0x1000 1 => 00\n") { path in
      let run = try gup("scenario", "--quiet", path)
      #expect(run.status == 1)
      #expect(run.output == "2: read A 0x1000 1 => SIGSEGV\n2: expected 00\n0 passed, 1 failed\n")
      #expect(run.errors == "")
    }
  }

  @Test func doesNotParse() throws {
    try withScenario("space A\nfrob\n") { path in
      let run = try gup("scenario", path)
      #expect(run.status == 2)
      #expect(run.output == "")
      #expect(run.errors == "\(path):2: error: no statement is called 'frob'\n")
    }
  }

  @Test func isNotThere() throws {
    let run = try gup("scenario", "/no/such/file.gup")
    #expect(run.status == 2)
    #expect(run.errors == "/no/such/file.gup: error: cannot read /no/such/file.gup: no such file\n")
  }

  @Test func printsJSON() throws {
    try withScenario("space A\n") { path in
      let run = try gup("scenario", "--json", path)
      #expect(run.status == 0)
      let line = try #require(
        try JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [String: Any])
      #expect(line["file"] as? String == path)
      #expect(line["line"] as? Int == 1)
      #expect(line["statement"] as? String == "space A")
      #expect(line["result"] as? String == "ok")
      #expect(line["passed"] as? Bool == true)
    }
  }
}
