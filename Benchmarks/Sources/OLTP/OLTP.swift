import ArgumentParser
import Glibc
import Measuring
import UserPages

/// Measures what lockless pinning is worth to a database: TPC-B on a real file behind a mapping. A transaction pins its
/// pages, and the log's direct I/O pins its own, while sort areas come and go in the same space.
@main
struct OLTP: MeasuringTool {
  static let configuration = CommandConfiguration(
    commandName: "oltp",
    abstract: "TPC-B on a mapped file with direct I/O: what lockless pinning is worth.",
    discussion: """
      Each engine runs in turn in each round. After every run the books must balance, in memory and read back from \
      the file with every page's checksum; otherwise the exit status is 1.

      A transaction has committed when its log record was written. Killing the program loses none: the next start \
      replays the log. A power failure may, unless --sync is given. A log that is damaged or missing is refused.
      """
  )

  @OptionGroup var options: Options

  func measure() throws(Failure) {
    // A file that may not grow is reported as EFBIG. Without this the signal would end the process.
    signal(SIGXFSZ, SIG_IGN)
    let progress = Progress()
    let database = try DatabaseFile(path: options.file, scale: options.scale) { progress.show("loading \($0) %") }
    // Before anything is measured, so that a bad path is found at once. After the database is open, as its own files
    // are refused.
    let json = try options.json.map { (path) throws(Failure) in try openReport(path, database) }
    if let outcome = try database.recoverIfNeeded(forced: options.forceRecovery) { try tell(outcome, database) }
    progress.show("reading the database")
    var carried = try openingBalance(of: database)
    let mode = try chooseMode(database)
    let machine = try makeMachine()
    let config = config(database, mode)
    progress.clear()
    try Standard.output(heading(config))
    var results: [RoundResult] = []
    let engines = options.engine.engines
    for number in 0..<options.rounds {
      for index in Rounds.order(of: engines.count, in: number) {
        let engine = engines[index]
        let round = Round(
          options: options, mode: mode, database: database, machine: machine, engine: engine, number: number,
          carried: carried)
        let title = "round \(number + 1)/\(options.rounds), \(engine.rawValue)"
        let result = try round.run { progress.show("\(title): \($0)") }
        results.append(result)
        if result.imbalance != nil { return try finish(config, results, json) }
        try checkMachine(machine)
        carried = result.historySum
      }
    }
    progress.clear()
    try finish(config, results, json)
  }

  private func openReport(_ path: String, _ database: DatabaseFile) throws(Failure) -> OutputFile {
    try OutputFile(
      path, option: "--json",
      others: [
        (name: "the database", path: database.path), (name: "the log of the database", path: database.logPath),
        (name: "where the database is written anew", path: database.replacementPath),
      ])
  }

  private func tell(_ outcome: Recovery.Outcome, _ database: DatabaseFile) throws(Failure) {
    if let damage = outcome.damage {
      try Standard.output("Damage is passed over, as --force-recovery says: \(damage).")
    }
    try Standard.output(
      "The last run did not end: \(outcome.transactions) transactions were replayed from \(database.logPath).")
  }

  /// Reads the books of a database that was just opened, and returns the sum of its history. Books that are off are an
  /// error.
  private func openingBalance(of database: DatabaseFile) throws(Failure) -> Int64 {
    let books = try Books.read(
      file: database.file, geometry: database.geometry, historyPages: database.superblock.historyPages)
    if let problem = books.imbalance(transactions: nil) { throw Failure("\(database.path) is corrupted: \(problem)") }
    return books.history
  }

  private func chooseMode(_ database: DatabaseFile) throws(Failure) -> IOMode {
    if options.io == .memory { return .memory }
    if try Storage.allowsDirectIO(database.file) { return .direct }
    try Standard.output(
      "The file system of \(database.path) has no O_DIRECT: this is a BUFFERED run, through the page cache.")
    return .buffered
  }

  private func makeMachine() throws(Failure) -> PhysicalMemory {
    // The frames of an unmapped area come back after a grace period, so several areas are in flight.
    let sorting = options.writers * options.sortPages * 8
    let pages = options.pool + 2 * LogWriter.areaPages + sorting + 4096
    do { return try PhysicalMemory(ramPages: pages) } catch { throw Failure("cannot make \(pages) frames", error) }
  }

  /// Makes sure that no pin, mapping or frame outlives its round.
  private func checkMachine(_ machine: PhysicalMemory) throws(Failure) {
    machine.flushDeferredFrees()
    let census = machine.census()
    if !census.isClean { throw Failure("frames were left behind: \(census)") }
  }

  private func config(_ database: DatabaseFile, _ mode: IOMode) -> Report.Config {
    Report.Config(
      file: database.path, scale: database.geometry.scale, poolPages: options.pool, threads: options.threads,
      writers: options.writers, sortPages: options.sortPages, sortRate: options.sortRate, io: mode.rawValue,
      engines: options.engine.engines.map(\.rawValue), seconds: options.seconds, warmup: options.warmup,
      rounds: options.rounds, seed: options.seed, sync: options.sync, machine: .current)
  }

  private func heading(_ config: Report.Config) -> String {
    let pages = Geometry(scale: config.scale).historyStart
    return """
      TPC-B, scale \(config.scale) (\(pages) pages), pool \(config.poolPages) pages, \(config.threads) agents, \
      \(config.writers) sort writers, I/O: \(config.io)
      \(config.rounds) rounds of \(config.seconds) s after \(config.warmup) s of warm-up; \(config.machine.description)
      """
  }

  private func finish(
    _ config: Report.Config, _ results: [RoundResult], _ json: OutputFile?
  ) throws(Failure) {
    Progress().clear()
    try Standard.output(Summary.table(results))
    try Standard.output(Summary.transfers(results))
    try json?.write(json: Report(config: config, results: results))
    for result in results {
      if let problem = result.imbalance {
        throw Failure("the books do not balance after a run of \(result.engine.rawValue), \(problem)")
      }
    }
    try Standard.output("The books balanced after every run, in memory and in the file.")
  }
}
