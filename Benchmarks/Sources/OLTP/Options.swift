import ArgumentParser
import Measuring
import UserPages

/// The pin engines that `--engine` names, by the names that reports use.
enum EngineChoice: String, CaseIterable, ExpressibleByArgument {
  case all, locked, reference, slot

  var engines: [PinEngine] { PinEngine(rawValue: rawValue).map { [$0] } ?? PinEngine.allCases }
}

enum IOChoice: String, CaseIterable, ExpressibleByArgument {
  case direct, memory
}

struct Options: ParsableArguments {
  @Option(help: ArgumentHelp("The database; it is made and loaded when absent.", valueName: "path"))
  var file = "oltp.tpcb"

  @Option(
    help: ArgumentHelp(
      "Branches of a new database, each with 10 tellers and 100,000 accounts (10 MiB). Default: 4.", valueName: "n"))
  var scale: Int?

  @Option(
    name: .customLong("pool"),
    help: ArgumentHelp("Pages of the database in memory. Default: 256, or 16 for each agent.", valueName: "n"))
  var requestedPool: Int?

  var pool: Int { requestedPool ?? max(256, 16 * threads) }

  @Option(help: ArgumentHelp("Agents that run transactions.", valueName: "n"))
  var threads = 2

  @Option(help: ArgumentHelp("Threads that map, fault and unmap sort areas in the same space.", valueName: "n"))
  var writers = 1

  @Option(help: ArgumentHelp("Pages of a sort area.", valueName: "n"))
  var sortPages = 64

  @Option(help: ArgumentHelp("Sort areas a second for each writer; 0: as many as possible.", valueName: "n"))
  var sortRate = 0

  @Option(help: "direct: O_DIRECT to and from the file; memory: a copy of the database in memory.")
  var io = IOChoice.direct

  @Option(help: "Which pin engine, or all of them in interleaved rounds.")
  var engine = EngineChoice.all

  @Option(help: ArgumentHelp("Measured seconds of each engine in each round.", valueName: "s"))
  var seconds = 3.0

  @Option(help: ArgumentHelp("Seconds of warm-up before them.", valueName: "s"))
  var warmup = 1.0

  @Option(help: ArgumentHelp("Rounds; each runs every engine once.", valueName: "n"))
  var rounds = 5

  @Option(help: ArgumentHelp("Seed of the agents' random numbers.", valueName: "n"))
  var seed: UInt64 = 1

  @Flag(help: "Open the log with O_DSYNC: commits survive a power failure.")
  var sync = false

  @Flag(
    help: """
      Recover although the log is damaged, cut short or missing. What it has lost stays lost, and the books may not \
      balance.
      """)
  var forceRecovery = false

  @Option(help: ArgumentHelp("Also write the results as JSON.", valueName: "file"))
  var json: String?

  func validate() throws {
    try Self.check("scale", scale ?? 1, 1...Geometry.largestScale)
    try Self.check("threads", threads, 1...Geometry.largestAgents)
    try Self.check("writers", writers, 0...64)
    try Self.check("pool", pool, 8 * threads + 32...1 << 24)
    try Self.check("sort-pages", sortPages, 1...1 << 18)
    try Self.check("sort-rate", sortRate, 0...1_000_000)
    try Self.check("rounds", rounds, 1...1000)
    guard seconds >= 0.1, seconds <= 86_400 else { throw ValidationError("--seconds must be from 0.1 to 86400") }
    guard warmup >= 0, warmup <= 3600 else { throw ValidationError("--warmup must be from 0 to 3600") }
    if file.isEmpty { throw ValidationError("--file needs a path") }
  }

  private static func check(_ name: String, _ value: Int, _ range: ClosedRange<Int>) throws {
    if !range.contains(value) {
      throw ValidationError("--\(name) must be from \(range.lowerBound) to \(range.upperBound), not \(value)")
    }
  }
}
