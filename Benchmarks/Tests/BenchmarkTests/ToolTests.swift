import Foundation
import Glibc
import Testing

/// What all tools have in common: paths are looked at before anything is measured, and what goes wrong is said in
/// words.
@Suite struct ToolTests {
  let folder: TemporaryFolder
  static let pins = ["--threads", "1", "--rounds", "1", "--seconds", "0.01", "--pages", "1024"]
  static let faults = ["--threads", "1", "--rounds", "1", "--mappings", "10", "--pages", "1024", "--among", "100"]

  init() throws {
    folder = try TemporaryFolder()
  }

  func run(_ tool: String, _ options: [String], redirections: String = "") throws -> Command.Result {
    try Command(tool, (tool == "pins" ? Self.pins : Self.faults) + options, redirections: redirections).wait()
  }

  @Test(arguments: ["pins --svg", "pins --json", "faults --svg", "faults --json"])
  func reportThatCannotBeWritten(option: String) throws {
    let words = option.split(separator: " ").map(String.init)
    for (path, part) in [(folder["absent/report"], "ENOENT"), (folder.path, "EISDIR")] {
      let result = try run(words[0], [words[1], path])
      #expect(result.status == 1)
      #expect(result.errors.contains(path) && result.errors.contains(part), "\(result)")
      #expect(!result.errors.contains("NSError") && !result.errors.contains("Domain"), "\(result)")
      #expect(result.output.isEmpty, "found before anything is measured")
    }
  }

  @Test func reportsAreWritten() throws {
    #expect(try run("pins", ["--json", folder["json"], "--svg", folder["svg"]]).status == 0)
    let two = ["--threads", "1,2", "--work", "fault", "--json", folder["faults"], "--svg", folder["second"]]
    #expect(try run("faults", two).status == 0)
    for name in ["svg", "second"] {
      #expect(try String(contentsOfFile: folder[name], encoding: .utf8).hasPrefix("<svg"))
    }
    for name in ["json", "faults"] {
      let data = try Data(contentsOf: URL(fileURLWithPath: folder[name]))
      let report = try JSONSerialization.jsonObject(with: data) as? [String: Any]
      let rows = try #require(report?["rows"] as? [[String: Any]])
      #expect(!rows.isEmpty)
      for row in rows {
        #expect((row["scaling"] as? Double != nil) == ((row["threads"] as? Int) == 2), "\(row)")
      }
    }
    // Neither a device nor a pipe is locked, cut, or kept to one report.
    #expect(try run("pins", ["--json", "/dev/null", "--svg", "/dev/null"]).status == 0)
    #expect(try run("faults", ["--json", "/dev/full"]).errors.contains("ENOSPC"))
  }

  /// Threads that hold pins while they take others: 8 fit into a thread's slots, and of 64 some are references.
  @Test func pinsBesideHeldOnes() throws {
    #expect(try run("pins", ["--threads", "1,3", "--held", "8,64", "--json", folder["held"]]).status == 0)
    let data = try Data(contentsOf: URL(fileURLWithPath: folder["held"]))
    let report = try JSONSerialization.jsonObject(with: data) as? [String: Any]
    let rows = try #require(report?["rows"] as? [[String: Any]])
    #expect(rows.count == 8)
    for row in rows {
      let share = try #require(row["counted_share"] as? Double)
      let isSlot = row["subject"] as? String == "slot"
      #expect(isSlot ? row["held"] as? Int == 8 ? share == 0 : share > 0.5 && share < 1 : share == 1, "\(row)")
      for key in ["longest_grace_period_us", "longest_queue_frames", "millions_per_second"] {
        #expect(try #require(row[key] as? Double) > 0, "\(row)")
      }
    }
    #expect(try run("pins", ["--held", "8", "--svg", folder["svg"]]).status == 64)
    #expect(try run("pins", ["--held", "0"]).status == 64)
  }

  @Test func oneFileForTwoReports() throws {
    let result = try run("pins", ["--json", folder["both"], "--svg", folder["both"]])
    #expect(result.status == 1)
    #expect(result.errors.contains("it is the picture"), "\(result)")
  }

  @Test(arguments: ["pins", "faults"]) func closedOutput(tool: String) throws {
    let result = try run(tool, ["--json", folder["report"]], redirections: ">&-")
    #expect(result.status == 1)
    #expect(result.errors.contains("cannot write standard output"))
    #expect(!FileManager.default.fileExists(atPath: folder["report"]))
  }

  @Test func sections() throws {
    let result = try Command.run("sections", "--rounds", "1", "--sections", "1000", "--grace-periods", "1")
    #expect(result.status == 0)
    #expect(result.output.contains("qsbr"))
    #expect(try Command.run("sections", "--rounds", "1", redirections: ">&-").status == 1)
  }
}
