import Foundation
import Fuzz
import Scenario
import TestSupport
import Testing
import UserPages

/// The running kernel as oracle.
@Suite(.enabled(if: RunningKernel.missing == nil, "\(RunningKernel.missing ?? "")"))
struct KernelOracleTests {
  /// A fixed run, so that a failure is the same on every machine. `gup fuzz` explores further.
  static let seed: UInt64 = 20080725
  /// The programs of one engine.
  static let programs = 600
  /// A slow computer runs fewer, but never fewer than this.
  static let fewestPrograms = 150
  /// The time after which an engine's run ends, once it has run the fewest programs.
  static let enoughTime = Duration.seconds(8)

  @Test(arguments: PinEngine.allCases)
  func randomProgramsAreAnsweredAsByTheKernel(engine: PinEngine) throws {
    let oracle = try KernelOracle(program: Tool.gup)
    let comparer = Comparer(runner: ScenarioRunner(engine: engine), oracle: oracle)
    let clock = ContinuousClock()
    let deadline = clock.now + Self.enoughTime
    let first = (PinEngine.allCases.firstIndex(of: engine) ?? 0) * Self.programs
    let summary = try Campaign(seed: Self.seed, first: first, comparer: comparer).run { summary in
      summary.programs < Self.fewestPrograms || (summary.programs < Self.programs && clock.now < deadline)
    }
    print("\(engine): seed \(Self.seed), programs from \(first): \(summary.compared) compared with the kernel")
    for (program, difference) in summary.differences {
      Issue.record("seed \(Self.seed), program \(program):\n\(difference)")
    }
    // Chance may excuse some programs. The generator writes none that cannot be compared.
    #expect(summary.incomparable == [:])
    #expect(summary.differences.count > 0 || summary.compared * 10 >= summary.programs * 9)
  }

  /// The scenarios that teach the semantics, as far as real memory can answer them.
  @Test func scenarioFilesAreAnsweredAsByTheKernel() throws {
    let comparer = Comparer(runner: ScenarioRunner(), oracle: try KernelOracle(program: Tool.gup))
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("scenarios").path
    var compared = 0
    for name in try FileManager.default.subpathsOfDirectory(atPath: folder) where name.hasSuffix(".gup") {
      var file = try ScenarioParser().parse(path: "\(folder)/\(name)")
      // A look changes nothing, so the other statements answer the same without it.
      file.lines.removeAll { if case .look = $0.statement { true } else { false } }
      switch try comparer.compare(file) {
      case .same: compared += 1
      case .incomparable, .chance: break
      case .different(let difference): Issue.record("\(name):\n\(difference)")
      }
    }
    print("\(compared) scenario files compared with the kernel")
    #expect(compared >= Self.fewestFiles)
  }

  /// The scenario files that real memory can answer. More may be added.
  private static let fewestFiles = 40
}
