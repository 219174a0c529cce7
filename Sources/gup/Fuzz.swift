import ArgumentParser
import Foundation
import Fuzz
import Scenario
import UserPages

/// `gup fuzz`.
struct FuzzCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "fuzz",
    abstract: "Compares the library with the running kernel on random programs.",
    discussion: """
      Each program is a scenario. It runs in the library and, at the same time, on real memory in real processes of this \
      computer's kernel; every result is compared, down to bytes, errors and signals. A program that is answered \
      differently is shrunk and printed with both answers. Scenario files named as arguments are compared instead.

      Exit status: 0 if there was no difference, 1 if there was, 2 if the kernel cannot be asked.
      """
  )

  @Argument(help: "Scenario files to compare instead of random programs.", completion: .file(extensions: ["gup"]))
  var files: [String] = []

  @Option(help: "Which programs: the same seed gives the same.")
  var seed: UInt64 = 1

  @Option(help: "The number of the first program.")
  var first = 0

  @Option(help: "How many programs. Without it, and without --minutes, a thousand.")
  var programs: Int?

  @Option(help: "For how long.")
  var minutes: Double?

  @Option(help: "How many differences end the run.")
  var differences = 1

  @Option(
    help: """
      Keep each difference as a file in this folder, and the program that is running as current.gup: where the library \
      traps, that is the program that made it.
      """)
  var keep: String?

  @Option(help: "How spaces pin pages.")
  var engine = PinEngine.reference

  @Option(help: "The program that drives real memory; without it, the one beside this program.")
  var oracle: String?

  func run() throws {
    // Whoever stops listening is found by the answer, not by a signal.
    signal(SIGPIPE, SIG_IGN)
    do {
      let path = oracle ?? KernelOracle.path(beside: Bundle.main.executablePath ?? CommandLine.arguments[0])
      let comparer = Comparer(
        runner: ScenarioRunner(engine: engine), oracle: try KernelOracle(path: path))
      let differs = files.isEmpty ? try runPrograms(comparer) : try runFiles(comparer)
      if differs { throw ExitCode(1) }
    } catch let problem as KernelOracle.Problem {
      Output.error.line("gup fuzz: \(problem)")
      throw ExitCode(2)
    }
  }

  /// Returns whether there was a difference.
  private func runPrograms(_ comparer: Comparer) throws -> Bool {
    if let keep { try FileManager.default.createDirectory(atPath: keep, withIntermediateDirectories: true) }
    let clock = ContinuousClock()
    let start = clock.now
    let deadline = minutes.map { start + .seconds($0 * 60) }
    let count = programs ?? (minutes == nil ? 1000 : .max)
    let campaign = Campaign(seed: seed, first: first, limit: differences, comparer: comparer)
    let summary = try campaign.run { summary in
      summary.programs < count && deadline.map { clock.now < $0 } ?? true
    } willRun: { file in
      keepFile("current.gup", "# seed \(seed), \(file.path)\n\(file.text)")
    } found: { number, difference in
      Output.standard.line("# seed \(seed), program \(number)")
      Output.standard.line(difference.description)
      keepFile("seed-\(seed)-program-\(number).gup", difference.expectation)
    }
    let seconds = (clock.now - start) / .seconds(1)
    Output.standard.line(
      """
      seed \(seed), programs \(first)..<\(first + summary.programs): \(summary.statements) statements, \
      \(summary.differences.count) differences, \(Int(seconds.rounded())) s
      """)
    for (chance, count) in summary.chances.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
      Output.standard.line("left to chance: \(chance.rawValue), \(count) programs")
    }
    return !summary.differences.isEmpty
  }

  private func keepFile(_ name: String, _ text: String) {
    guard let keep else { return }
    // A program that cannot be kept is no reason to stop looking.
    try? text.write(toFile: "\(keep)/\(name)", atomically: false, encoding: .utf8)
  }

  private func runFiles(_ comparer: Comparer) throws -> Bool {
    var differs = false
    for path in files {
      let file: ScenarioFile
      do { file = try ScenarioParser().parse(path: path) } catch {
        for problem in error.errors { Output.error.line(problem.description) }
        throw ExitCode(2)
      }
      switch try comparer.compare(file) {
      case .same: Output.standard.line("\(path): the same")
      case .incomparable(let line):
        Output.standard.line("\(path):\(line.number): not compared: real memory cannot be asked '\(line.statement)'")
      case .chance(let chance): Output.standard.line("\(path): left to chance: \(chance.rawValue)")
      case .different(let difference):
        differs = true
        Output.standard.line("\(path): different\n\(difference)")
      }
    }
    return differs
  }
}
