import Foundation
import Scenario
import Testing
import UserPages

/// Every scenario file holds, with each engine that pins.
@Suite struct ScenarioFileTests {
  @Test(arguments: ScenarioFolder.names)
  func holds(name: String) throws {
    try check(name, engine: .reference)
  }

  /// What is pinned does not depend on how; only the `fast` and `slow` counters and the option `fast` tell the engines
  /// apart.
  @Test(arguments: ScenarioFolder.names)
  func holdsWithTheLockedEngine(name: String) throws {
    try check(name, engine: .locked)
  }

  @Test func thereAreScenarios() {
    #expect(ScenarioFolder.names.count >= 45)
  }

  @Test(arguments: ScenarioFolder.names)
  func beginsByTellingWhatItTeaches(name: String) throws {
    let text = try String(contentsOfFile: ScenarioFolder.path(of: name), encoding: .utf8)
    #expect(text.hasPrefix("# "))
  }

  private func check(_ name: String, engine: PinEngine) throws {
    let file = try ScenarioParser().parse(path: ScenarioFolder.path(of: name))
    let report = ScenarioRunner(engine: engine).run(file)
    for line in report.lines where !line.passed {
      let expected = line.line.expectation?.text ?? ""
      Issue.record("\(name):\(line.line.number): \(line.line.statement) => \(line.outcome), expected \(expected)")
    }
    if let leak = report.leak { Issue.record("\(name): \(leak)") }
    #expect(report.refusal == nil)
  }
}
