import ArgumentParser
import Glibc
import Measuring
import UserPages

/// An OLTP-style measurement of what lockless pinning is worth: TPC-B on a real file, every transfer of a page or of
/// the log direct I/O from or into frames pinned through the library, while sort areas come and go in the same space.
@main
struct OLTP: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "oltp",
    abstract: "TPC-B with direct I/O into a shared buffer pool: what lockless pinning is worth.",
    discussion: """
      Each engine runs in turn in each round. After every run the books must balance, in memory and read back from \
      the file with every page's checksum; otherwise the exit status is 1.

      A transaction has committed when its log record was written. Killing the program loses none: the next start \
      replays the log. A power failure may, unless --sync is given.
      """
  )

  @OptionGroup var options: Options

  func run() throws {
    // A file that may not grow is an error to be reported, not the end of the process.
    signal(SIGXFSZ, SIG_IGN)
    do throws(Failure) {
      try measure()
    } catch {
      Progress().clear()
      Standard.error("oltp: \(error)")
      throw ExitCode(1)
    }
  }

  private func measure() throws(Failure) {
    let progress = Progress()
    // Better now than after all the rounds.
    if let json = options.json { _ = try PlainFile(path: json, flags: O_WRONLY | O_CREAT) }
    let database = try DatabaseFile(path: options.file, scale: options.scale) { progress.show("loading \($0) %") }
    if let replayed = try database.recoverIfNeeded() {
      Standard.output("The last run did not end: \(replayed) transactions were replayed from \(database.logPath).")
    }
    progress.show("reading the database")
    var carried = try openingBalance(of: database)
    let mode = chooseMode(database)
    let machine = try makeMachine()
    let config = config(database, mode)
    progress.clear()
    Standard.output(heading(config))
    var results: [RoundResult] = []
    let engines = options.engine.engines
    for number in 0..<options.rounds {
      for turn in engines.indices {
        // Every engine comes first in its share of the rounds.
        let engine = engines[(turn + number) % engines.count]
        let round = Round(
          options: options, mode: mode, database: database, machine: machine, engine: engine, number: number,
          carried: carried)
        let title = "round \(number + 1)/\(options.rounds), \(engine.rawValue)"
        let result = try round.run { progress.show("\(title): \($0)") }
        results.append(result)
        if result.imbalance != nil { return try finish(config, results) }
        try checkMachine(machine)
        carried = result.historySum
      }
    }
    progress.clear()
    try finish(config, results)
  }

  /// The sum of the history in a database that was just opened, whose books must balance.
  private func openingBalance(of database: DatabaseFile) throws(Failure) -> Int64 {
    let books = try Books.read(
      file: database.file, geometry: database.geometry, historyPages: database.superblock.historyPages)
    if let problem = books.imbalance(transactions: nil) { throw Failure("\(database.path) is corrupted: \(problem)") }
    return books.history
  }

  private func chooseMode(_ database: DatabaseFile) -> IOMode {
    if options.io == .memory { return .memory }
    if Storage.allowsDirectIO(path: database.path) { return .direct }
    Standard.output(
      "The file system of \(database.path) has no O_DIRECT: this is a BUFFERED run, through the page cache.")
    return .buffered
  }

  private func makeMachine() throws(Failure) -> PhysicalMemory {
    // Frames of an area that was unmapped come back only after a grace period: room for several in flight.
    let sorting = options.writers * options.sortPages * 8
    let pages = options.pool + 2 * LogWriter.areaPages + Areas.scanPages + sorting + 4096
    do { return try PhysicalMemory(ramPages: pages) } catch { throw Failure("cannot make \(pages) frames", error) }
  }

  /// No pin, mapping or frame outlives its round.
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

  private func finish(_ config: Report.Config, _ results: [RoundResult]) throws(Failure) {
    Progress().clear()
    Standard.output(Summary.table(results))
    Standard.output(Summary.transfers(results))
    if let json = options.json {
      do { try JSONFile.write(Report(config: config, results: results), to: json) } catch {
        throw Failure("\(error)")
      }
    }
    for result in results {
      if let problem = result.imbalance {
        throw Failure("the books do not balance after a run of \(result.engine.rawValue), \(problem)")
      }
    }
    Standard.output("The books balanced after every run, in memory and in the file.")
  }
}
