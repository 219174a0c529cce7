import Foundation
import Scenario
import Testing
import UserPages

/// Every scenario file holds with every engine.
@Suite struct ScenarioFileTests {
  @Test(arguments: ScenarioFolder.names, PinEngine.allCases.filter { $0 != .locked })
  func holds(name: String, engine: PinEngine) throws {
    let file = try ScenarioParser().parse(path: ScenarioFolder.path(of: name))
    check(file, name, engine: engine)
  }

  /// With the locked engine, all results are the same but those of the option `fast` and of `counters`.
  @Test(arguments: ScenarioFolder.names)
  func holdsWithTheLockedEngine(name: String) throws {
    var file = try ScenarioParser().parse(path: ScenarioFolder.path(of: name))
    guard !file.lines.contains(where: \.asksForTheFastPath) else { return }
    for index in file.lines.indices {
      if case .look(.counters) = file.lines[index].statement { file.lines[index].expectation = nil }
    }
    check(file, name, engine: .locked)
  }

  @Test func thereAreScenarios() {
    #expect(ScenarioFolder.names.count >= 45)
  }

  @Test(arguments: ScenarioFolder.names)
  func beginsByTellingWhatItTeaches(name: String) throws {
    let text = try String(contentsOfFile: ScenarioFolder.path(of: name), encoding: .utf8)
    #expect(text.hasPrefix("# "))
  }

  private func check(_ file: ScenarioFile, _ name: String, engine: PinEngine) {
    let report = ScenarioRunner(engine: engine).run(file)
    for line in report.lines where !line.passed {
      let expected = line.line.expectation?.text ?? ""
      Issue.record(
        "\(name):\(line.line.number): \(line.line.statement) => \(line.outcome), expected \(expected) (\(engine))")
    }
    if let leak = report.leak { Issue.record("\(name): \(leak)") }
    #expect(report.refusal == nil)
  }
}

extension ScenarioLine {
  /// Whether the result depends on the fast path.
  fileprivate var asksForTheFastPath: Bool {
    switch statement {
    case .pin(.pin(_, _, _, let options)), .pin(.get(_, _, _, let options)): options.contains(.fast)
    default: false
    }
  }
}
