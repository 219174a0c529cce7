import Foundation
import Fuzz
import Scenario
import Testing
import UserPages

/// The running kernel as oracle.
@Suite struct KernelOracleTests {
  /// A fixed run, so that a failure is everybody's failure. `gup fuzz` goes on from here.
  static let seed: UInt64 = 20080725
  static let programs = 3000
  /// A slow computer compares fewer.
  static let longest = Duration.seconds(40)

  /// The kernel, or nil and a line that says why it cannot be asked.
  private func oracle() throws -> KernelOracle? {
    signal(SIGPIPE, SIG_IGN)
    do throws(KernelOracle.Problem) {
      return try KernelOracle(path: KernelOracle.path(beside: CommandLine.arguments[0]))
    } catch .unavailable(let reason) {
      print("not compared with the running kernel: \(reason)")
      return nil
    }
  }

  @Test(arguments: PinEngine.allCases)
  func randomProgramsAreAnsweredAsByTheKernel(engine: PinEngine) throws {
    guard let oracle = try oracle() else { return }
    let comparer = Comparer(runner: ScenarioRunner(engine: engine), oracle: oracle)
    let clock = ContinuousClock()
    let share = PinEngine.allCases.count
    let deadline = clock.now + Self.longest / share
    let first = (PinEngine.allCases.firstIndex(of: engine) ?? 0) * Self.programs / share
    let summary = try Campaign(seed: Self.seed, first: first, comparer: comparer).run { summary in
      summary.programs < Self.programs / share && clock.now < deadline
    }
    print("\(engine): seed \(Self.seed), programs \(first)..<\(first + summary.programs) compared with the kernel")
    for (program, difference) in summary.differences {
      Issue.record("seed \(Self.seed), program \(program):\n\(difference)")
    }
  }

  /// The scenarios that teach the semantics, as far as real memory can be asked.
  @Test func scenarioFilesAreAnsweredAsByTheKernel() throws {
    guard let oracle = try oracle() else { return }
    let comparer = Comparer(runner: ScenarioRunner(), oracle: oracle)
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("scenarios").path
    var compared = 0
    for name in try FileManager.default.subpathsOfDirectory(atPath: folder) where name.hasSuffix(".gup") {
      var file = try ScenarioParser().parse(path: "\(folder)/\(name)")
      // Looking changes nothing, so the rest is the same without it.
      file.lines.removeAll { if case .look = $0.statement { true } else { false } }
      switch try comparer.compare(file) {
      case .same: compared += 1
      case .incomparable, .chance: break
      case .different(let difference): Issue.record("\(name):\n\(difference)")
      }
    }
    #expect(compared > 10)
  }
}
