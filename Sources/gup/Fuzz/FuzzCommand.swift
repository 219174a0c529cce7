import ArgumentParser
import Foundation
import Fuzz
import Scenario
import UserPages

extension ProgramMode: ExpressibleByArgument {}

/// `gup fuzz`.
struct FuzzCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "fuzz",
    abstract: "Compares the library with the running kernel on random programs.",
    discussion: """
      Each program is a scenario. It runs in the library and, at the same time, on real memory in real processes of this \
      computer's kernel. Every result is compared: bytes, errors and signals. If the answers differ, the program is shrunk \
      and printed with both. Scenario files named as arguments are compared instead ('-' is standard input).

      With --races, each program is a pair of halves that run at once on two threads. What they may show is what some order of \
      their single-page steps shows: each order runs on both sides, and the answers are compared. Then the halves race, in the \
      library with every engine and on the kernel. An outcome that no order explains is a failure. On the kernel it is none if it is \
      wrong only at pages in which one half loads or stores while the other half changes their entries: until that statement returns, \
      a processor may act on an entry of before. Such pairs are counted. A file may have one 'par'.

      Each engine, and the kernel, ends its races of a pair after --fewest of them, once it has shown as many different outcomes as \
      the orders have. What no order explains, and is rarer than one race in --fewest, may then be missed. With --fewest equal to \
      --times all races run.

      Ctrl-C ends the run and prints what it has.

      Exit status: 0 if there was no difference and no failure; 1 if there was; 2 if the kernel cannot be asked, or if no program could be \
      compared; 74 if the report could not be written; 130 if Ctrl-C ended the run before a difference.
      """
  )

  @Argument(
    help: "Scenario files to compare instead of random programs.", completion: .file(extensions: ["gup"]))
  var files: [String] = []

  @Flag(help: "Compare what two halves show that run at once.")
  var races = false

  @Option(
    help: "With --races: how often the halves run at once at most, with each engine and on the kernel (default: 100).")
  var times: Int?

  @Option(help: "With --races: how often they do at least, also if all outcomes have come out (default: 25).")
  var fewest: Int?

  @Flag(
    help: """
      With --races and files that --keep kept because the kernel alone showed an outcome: the library races, up to --times \
      with each engine, until it shows them. What it does not show is counted by reason.
      """)
  var kept = false

  @Option(help: "The seed. The same seed gives the same programs.")
  var seed: UInt64?

  @Option(help: "The number of the first program, from 0.")
  var first: Int?

  @Option(help: "How many programs. The default is 1000, or no limit with --minutes.")
  var programs: Int?

  @Option(help: "How many minutes. Fractions are allowed.")
  var minutes: Double?

  @Option(help: "End the run at this many differences (default: 1).")
  var differences: Int?

  @Option(
    help: """
      A folder for one file per difference, and for the program that is running, as current.gup. If the library traps, \
      current.gup is the program that made it. With --races, pairs with outcomes that the kernel alone showed are kept, too.
      """)
  var keep: String?

  @Option(
    help: """
      What programs are about: files on a disk, a file on a disk and one in memory, memory paged out to swap, 2 MiB \
      entries in parts, mappings over others, forks of forks, pins of many pages, memory mapped by frame number, short pins for \
      reading that unshare, long-term pins for reading. Several are taken in turn. A mode that this machine has no memory for is skipped, and said to be.
      """)
  var mode: [ProgramMode] = []

  @Option(help: "How spaces pin pages. With --races every engine runs.")
  var engine = PinEngine.reference

  /// The largest first number and the largest count. Their sum is an `Int`.
  static let largestNumber = Int.max / 2
  private static let mostTimes = 1 << 20
  /// Ten years. `Duration` traps far beyond it.
  private static let mostMinutes = 5_256_000.0

  func validate() throws {
    let numbers = 0...Self.largestNumber
    let counts = 1...Self.largestNumber
    if let first, !numbers.contains(first) {
      throw ValidationError("--first \(first): a number from 0 to \(Self.largestNumber) is needed.")
    }
    if let programs, !counts.contains(programs) {
      throw ValidationError("--programs \(programs): a number from 1 to \(Self.largestNumber) is needed.")
    }
    if let times, !(1...Self.mostTimes ~= times) {
      throw ValidationError("--times \(times): a number from 1 to \(Self.mostTimes) is needed.")
    }
    if times != nil, !races { throw ValidationError("--times goes with --races only.") }
    if fewest != nil, !races { throw ValidationError("--fewest goes with --races only.") }
    if let fewest, !(1...(times ?? 100) ~= fewest) {
      throw ValidationError("--fewest \(fewest): a number from 1 to that of --times (\(times ?? 100)) is needed.")
    }
    if let differences, !counts.contains(differences) {
      throw ValidationError("--differences \(differences): a number from 1 to \(Self.largestNumber) is needed.")
    }
    // Also false for not-a-number.
    if let minutes, !(minutes > 0 && minutes <= Self.mostMinutes) {
      throw ValidationError("--minutes \(minutes): more than 0 and at most \(Int(Self.mostMinutes)) is needed.")
    }
    if kept, !races || files.isEmpty || files.contains(ScenarioParser.standardInput) {
      throw ValidationError("--kept goes with --races and files by name only.")
    }
    if kept, fewest != nil {
      throw ValidationError("--fewest does not go with --kept: the library races until --times.")
    }
    if races, !mode.isEmpty { throw ValidationError("--mode does not go with --races.") }
    if keep?.isEmpty == true { throw ValidationError("--keep: the name of a folder is needed.") }
    let ofPrograms: [(option: String, isGiven: Bool)] = [
      ("--seed", seed != nil), ("--first", first != nil), ("--programs", programs != nil),
      ("--minutes", minutes != nil), ("--differences", differences != nil), ("--keep", keep != nil),
      ("--mode", !mode.isEmpty),
    ]
    if !files.isEmpty, let given = ofPrograms.first(where: \.isGiven) {
      throw ValidationError("\(given.option) is for random programs; it does not go with scenario files.")
    }
  }

  static let differs = ExitCode(1)
  static let unanswered = ExitCode(2)
  static let interrupted = ExitCode(130)

  func run() throws {
    // A write to a closed standard output then fails. The signal would end the process without a message.
    signal(SIGPIPE, SIG_IGN)
    let status: ExitCode
    do {
      let folder = try keep.map(DifferenceFolder.init)
      if races { return try raise(try runRaces(keptIn: folder)) }
      let oracle = try KernelOracle()
      let comparer = Comparer(runner: ScenarioRunner(engine: engine), oracle: oracle)
      status =
        files.isEmpty ? try runPrograms(comparer, modes: presentModes(oracle), keptIn: folder) : try runFiles(comparer)
    } catch let problem as KernelOracle.Problem {
      Output.error.line("gup fuzz: \(problem)")
      throw Self.unanswered
    } catch let problem as DifferenceFolder.Failure {
      Output.error.line("gup fuzz: \(problem)")
      throw Self.unanswered
    }
    try raise(status)
  }

  private func raise(_ status: ExitCode) throws {
    if status != .success { throw status }
  }

  /// The modes that were asked for and that this machine has memory for. Says which it has none for.
  ///
  /// - Throws: `unanswered` if none is left.
  private func presentModes(_ oracle: KernelOracle) throws -> [ProgramMode] {
    let present = mode.filter { mode in
      guard let reason = mode.whyMissing(oracle) else { return true }
      Output.error.line("gup fuzz: skipped: --mode \(mode.rawValue): \(reason)")
      return false
    }
    if present.isEmpty, !mode.isEmpty { throw Self.unanswered }
    return present
  }

  private func runPrograms(
    _ comparer: Comparer, modes: [ProgramMode], keptIn folder: DifferenceFolder?
  ) throws -> ExitCode {
    Interruption.catchFirst()
    let first = first ?? 0
    let seed = seed ?? 1
    let length = RunLength(count: programs, minutes: minutes)
    let campaign = Campaign(seed: seed, first: first, limit: differences ?? 1, modes: modes, comparer: comparer)
    let progress = TerminalLine()
    let summary = try campaign.run { summary in
      progress.show("\(summary.programs) programs, \(summary.differences.count) differences")
      return length.hasMore(after: summary.programs)
    } isInterrupted: {
      Interruption.isRequested
    } willRun: { file in
      folder?.write("# seed \(seed), \(file.path)\n\(file.text)", to: "current.gup")
    } found: { number, difference in
      progress.clear()
      Output.standard.line("# seed \(seed), program \(number)")
      Output.standard.line(difference.description)
      folder?.write(difference.expectation, to: "seed-\(seed)-program-\(number).gup")
    }
    progress.clear()
    for line in FuzzReport(summary: summary, seed: seed, first: first, modes: modes, seconds: length.seconds).lines {
      Output.standard.line(line)
    }
    if !summary.differences.isEmpty { return Self.differs }
    if Interruption.isRequested { return Self.interrupted }
    return summary.compared == 0 ? Self.unanswered : .success
  }

  func parse(_ path: String) throws -> ScenarioFile {
    do throws(ParseFailure) {
      return try ScenarioParser().parse(argument: path)
    } catch {
      for problem in error.errors { Output.error.line(problem.description) }
      throw Self.unanswered
    }
  }

  private func runFiles(_ comparer: Comparer) throws -> ExitCode {
    var compared = 0
    var differs = false
    for path in files {
      let file = try parse(path)
      switch try comparer.compare(file) {
      case .same:
        compared += 1
        Output.standard.line("\(file.path): the same")
      case .incomparable(let line):
        Output.standard.line("\(file.path):\(line.number): not compared: real memory cannot answer '\(line.statement)'")
      case .different(let difference):
        differs = true
        Output.standard.line("\(file.path): different\n\(difference)")
      }
    }
    return differs ? Self.differs : compared == 0 ? Self.unanswered : .success
  }
}
