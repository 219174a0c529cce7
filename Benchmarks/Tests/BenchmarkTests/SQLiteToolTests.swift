import Foundation
import Testing

/// `sqlite` as a program, on small databases.
@Suite struct SQLiteToolTests {
  let folder: TemporaryFolder
  static let short = ["--pool", "2", "--fits", "1", "--larger", "4", "--rounds", "1", "--seconds", "0.02"]

  init() throws { folder = try TemporaryFolder() }

  private func run(_ options: [String]) throws -> Command.Result {
    try Command("sqlite", Self.short + ["--directory", folder.path] + options).wait()
  }

  @Test func everySubjectHasARow() throws {
    let works = ["--work", "points-100", "--work", "tpcb", "--work", "beside-writer"]
    let result = try run(works + ["--connections", "3", "--json", folder["json"], "--svg", folder["svg"]])
    #expect(result.status == 0, "\(result)")
    #expect(result.output.contains("expected of userpages-slot"))
    let report = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: folder["json"])))
    let rows = try #require((report as? [String: Any])?["rows"] as? [[String: Any]])
    // Each at 3 kinds of work on 2 databases.
    #expect(rows.count == 9 * 3 * 2, "\(result)")
    for row in rows {
      let rate = (row["transactions_per_second"] as? [String: Double])?["median"]
      #expect(try #require(rate) > 0, "\(row)")
      #expect(row["p99_us"] != nil && row["pss_mib"] != nil && row["bytes_read_per_transaction"] != nil)
    }
    #expect(try String(contentsOfFile: folder["svg"], encoding: .utf8).contains(">connections<"))
    // The databases are gone.
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() == ["json", "svg"])
  }

  @Test func everyWorkHasARow() throws {
    let result = try run(["--connections", "1", "--subject", "userpages-slot", "--json", folder["json"]])
    #expect(result.status == 0, "\(result)")
    let report = try String(contentsOfFile: folder["json"], encoding: .utf8)
    // On each database, but for the one that takes two connections.
    #expect(report.components(separatedBy: "\"userpages-slot\"").count - 1 == 4 * 2)
  }

  @Test(arguments: [
    ["--pool", "0"], ["--fits", "3"], ["--larger", "1"], ["--connections", "0"], ["--subject", "none"],
    ["--workers", "0"],
  ])
  func optionsThatMeanNothing(options: [String]) throws {
    let result = try run(options)
    #expect(result.status == 64, "\(result)")
    #expect(result.output.isEmpty)
  }

  @Test func aFolderThatIsNotThere() throws {
    let result = try Command("sqlite", Self.short + ["--directory", folder["none"]]).wait()
    #expect(result.status == 1)
    #expect(result.errors.contains("ENOENT"), "\(result)")
  }
}
