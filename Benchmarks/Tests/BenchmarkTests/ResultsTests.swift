import Foundation
import Testing

/// The script that writes the tables of RESULTS.md, on a quick run into a folder.
@Suite struct ResultsTests {
  static let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  /// Section `density` needs a tool of the root package.
  @Test func eachTableIsReplaced() throws {
    let folder = try TemporaryFolder()
    let sections = ["pins", "ranges", "mirrors", "threads", "faults", "pool", "sqlite", "oltp"]
    let result = try run(sections + ["--quick", "--into", folder["RESULTS.md"]], in: folder)
    #expect(result.status == 0, "\(result)")
    let text = try String(contentsOfFile: folder["RESULTS.md"], encoding: .utf8)
    for section in sections {
      let block = try #require(text.firstRange(of: "<!-- results \(section) -->")).upperBound
      let lines = text[block...].prefix(upTo: try #require(text[block...].firstRange(of: "<!-- end -->")).lowerBound)
      #expect(lines.contains("A quick run."), "\(section)")
      #expect(lines.contains("| --- |"), "\(section)")
    }
    // What is written by hand stays.
    let before = try String(contentsOf: Self.package.appendingPathComponent("RESULTS.md"), encoding: .utf8)
    func headings(_ text: String) -> [Substring] { text.split(separator: "\n").filter { $0.hasPrefix("#") } }
    #expect(headings(before) == headings(text))
  }

  @Test func quickFiguresGoElsewhere() throws {
    let folder = try TemporaryFolder()
    #expect(try run(["--quick"], in: folder).status == 2)
    #expect(try run(["nonsense"], in: folder).errors.contains("no section 'nonsense'"))
  }

  /// The tools of this build lie beside the test program.
  private func run(_ options: [String], in folder: TemporaryFolder) throws -> Command.Result {
    let tools = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().path
    return try Command(Self.package.appendingPathComponent("results").path, options + ["--tools", tools]).wait()
  }
}
