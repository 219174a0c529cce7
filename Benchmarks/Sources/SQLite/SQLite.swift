import ArgumentParser
import CSQLite3
import Glibc
import Measuring

/// Which of the two databases.
enum Size: String, CaseIterable {
  case fits, larger

  /// How a report calls a kind of work on it.
  func name(_ work: Work) -> String { "\(work.rawValue) \(rawValue)" }
}

extension Subject: ExpressibleByArgument {}
extension Work: ExpressibleByArgument {}

/// Times SQLite on one pool of pages for a process, beside stock SQLite.
@main
struct SQLite: MeasuringTool {
  static let configuration = CommandConfiguration(
    commandName: "sqlite",
    abstract: "SQLite over this package's VFS beside stock SQLite: many connections of one process.",
    discussion: """
      userpages- subjects share one pool of pages. stock-total has a cache for each connection, together as large as the pool; stock-each \
      gives each as much as the pool; stock-shared is one cache (cache=shared). stock-mmap lets SQLite map the file, -random with MADV_RANDOM. \
      The others have small caches of their own.

      Two databases: one fits into the pool, one is larger. 80 of 100 rows are drawn from 5 of 100. For the larger one a memory cgroup \
      limits each subject's process, the kernel's cache of its files included, to the pool, 4 MiB, and 0.15 MiB a connection. Where no \
      cgroup may be made, stock SQLite also has the system's cache, and the report says so.

      Every subject has a turn in every round, in a process of its own. RSS and PSS are what that grew by from its first connection on; \
      RSS counts a page that is mapped a hundred times a hundred times. The cgroup also counts the kernel's cache. After the tables the \
      tool says which expectations hold.
      """
  )

  @Option(help: ArgumentHelp("Where the databases are made, and removed.", valueName: "path"))
  var directory = "."

  @Option(help: ArgumentHelp("MiB of the pool.", valueName: "n"))
  var pool = 32

  @Option(help: ArgumentHelp("MiB of the database that fits. Default: three quarters of the pool.", valueName: "n"))
  var fits: Int?

  @Option(help: ArgumentHelp("MiB of the larger database. Default: eight times the pool.", valueName: "n"))
  var larger: Int?

  @Option(help: ArgumentHelp("Numbers of connections, separated by commas.", valueName: "n,n,..."))
  var connections = ThreadCounts([1, 2, 10, 100])

  @Option(help: ArgumentHelp("Threads that serve the connections. Default: one a processor.", valueName: "n"))
  var workers: Int?

  @Option(name: .customLong("subject"), help: "One subject; given several times, several. Default: all.")
  var subjects: [Subject] = []

  @Option(name: .customLong("work"), help: "One kind of work; given several times, several. Default: all.")
  var works: [Work] = []

  @Option(help: ArgumentHelp("Rounds; each gives every subject a turn.", valueName: "n"))
  var rounds = 3

  @Option(help: ArgumentHelp("Seconds of each measurement.", valueName: "s"))
  var seconds = 0.3

  @Option(help: ArgumentHelp("Seed of the rows that are drawn.", valueName: "n"))
  var seed: UInt64 = 1

  @Option(help: ArgumentHelp("Also draw the results as an SVG file.", valueName: "file"))
  var svg: String?

  @Option(help: ArgumentHelp("Also write the results as JSON.", valueName: "file"))
  var json: String?

  @Option(help: .hidden)
  var turn: String?

  private var fitsMiB: Int { fits ?? pool * 3 / 4 }
  private var largerMiB: Int { larger ?? pool * 8 }
  /// The pool, and what a process with a pool has beside it and its connections: the program and its libraries' data.
  /// So stock SQLite has as much memory in all, the kernel's cache of its files included.
  private var limitMiB: Int { pool + 4 }

  func validate() throws {
    guard (1...1 << 16).contains(pool) else { throw ValidationError("--pool must be from 1 to \(1 << 16)") }
    guard (1...pool).contains(fitsMiB) else { throw ValidationError("--fits must be from 1 to --pool") }
    guard (pool...1 << 20).contains(largerMiB) else {
      throw ValidationError("--larger must be from --pool to \(1 << 20)")
    }
    guard (1...1000).contains(rounds) else { throw ValidationError("--rounds must be from 1 to 1000") }
    guard seconds >= 0.01, seconds <= 3600 else { throw ValidationError("--seconds must be from 0.01 to 3600") }
    if let workers, !(1...ThreadCounts.largest).contains(workers) {
      throw ValidationError("--workers must be from 1 to \(ThreadCounts.largest)")
    }
  }

  func measure() throws(Failure) {
    if let turn { return try TurnProcess.serve(turn) }
    let picture = try svg.map { (path) throws(Failure) in try OutputFile(path, option: "--svg") }
    let others = svg.map { [(name: "the picture", path: $0)] } ?? []
    let results = try json.map { (path) throws(Failure) in try OutputFile(path, option: "--json", others: others) }
    let machine = Machine.current
    let workers = workers ?? machine.processors
    let cgroup = MemoryCgroup(limit: limitMiB << 20)
    cgroup?.remove()
    try Standard.output(
      """
      SQLite \(String(cString: sqlite3_libversion())), a pool of \(pool) MiB, databases of \(fitsMiB) and \(largerMiB) MiB, \(workers) threads, \
      \(rounds) rounds of \(seconds) s; \(machine.description)
      \(cgroup == nil
        ? "No memory cgroup can be made here: stock SQLite also has the system's page cache, as much as there is."
        : "A memory cgroup limits each process on the larger database to \(limitMiB) MiB and 0.15 MiB a connection.")
      """)
    let folder = try makeFolder()
    defer { removeFolder(folder) }
    let progress = Progress()
    var banks: [Size: Bank] = [:]
    for (size, mebibytes) in [(Size.fits, fitsMiB), (.larger, largerMiB)] {
      progress.show("making a database of \(mebibytes) MiB")
      banks[size] = try Bank(creating: "\(folder)/\(size.rawValue).db", mebibytes: mebibytes)
    }
    let (rows, killed) = try turns(banks, workers: workers, progress)
    progress.clear()
    for size in Size.allCases { try banks[size]?.check() }
    let config = SQLiteConfig(
      poolMiB: pool, fitsMiB: fitsMiB, largerMiB: largerMiB, limitMiB: cgroup.map { _ in limitMiB }, workers: workers,
      rounds: rounds, seconds: seconds, seed: seed, sqlite: String(cString: sqlite3_libversion()), machine: machine,
      killed: killed)
    let report = SQLiteReport(config: config, rows: rows)
    let names = Size.allCases.flatMap { size in chosenWorks.map { size.name($0) } }
    try Standard.output("\n" + report.text(works: names))
    let plot = ThreadsPlot(
      report, title: "ns a transaction and thread: median, bar from least to most. \(machine.description)",
      works: names,
      threads: connections.counts, axis: "connections")
    try picture?.write(plot.text.utf8)
    try results?.write(json: report)
  }

  private var chosenWorks: [Work] { works.isEmpty ? Work.allCases : works }
  private var chosenSubjects: [Subject] { subjects.isEmpty ? Subject.allCases : subjects }

  private struct Kind {
    var work: Work
    var size: Size
    var connections: Int
  }

  /// Gives each subject its turn in each round, at each kind of work.
  private func turns(
    _ banks: [Size: Bank], workers: Int, _ progress: Progress
  ) throws(Failure) -> (rows: [SQLiteRow], killed: [String]) {
    let subjects = chosenSubjects
    let kinds = Size.allCases.flatMap { size in
      chosenWorks.flatMap { work in
        connections.counts.filter { work.can($0) }.map { Kind(work: work, size: size, connections: $0) }
      }
    }
    var cells = [[[Turn.Cell]]](repeating: Array(repeating: [], count: subjects.count), count: kinds.count)
    for round in 0..<rounds {
      for (place, kind) in kinds.enumerated() {
        guard let bank = banks[kind.size] else { continue }
        let fits = kind.size == .fits
        for index in Rounds.order(of: subjects.count, in: round) {
          let subject = subjects[index]
          let name = kind.size.name(kind.work)
          progress.show("round \(round + 1)/\(rounds), \(name), \(kind.connections) connections, \(subject.rawValue)")
          let turn = Turn(
            subject: subject, work: kind.work, bank: bank, poolMiB: pool, connections: kind.connections,
            // One of them writes beside the others, on a single processor too.
            workers: min(kind.connections, kind.work == .besideWriter ? max(workers, 2) : workers), isFilled: fits,
            warmup: fits ? seconds / 2 : seconds, seconds: seconds, seed: seed &+ UInt64(round) << 40)
          let limit = fits ? nil : limitMiB << 20 + kind.connections * 150 << 10
          if let cell = try TurnProcess.run(turn, limit: limit) { cells[place][index].append(cell) }
        }
      }
    }
    var rows: [SQLiteRow] = []
    var killed: [String] = []
    for (place, kind) in kinds.enumerated() {
      for (index, subject) in subjects.enumerated() {
        let name = kind.size.name(kind.work)
        let found = cells[place][index]
        if found.isEmpty {
          killed.append("\(subject.rawValue) at \(name), \(kind.connections) connections")
        } else {
          rows.append(
            SQLiteRow(name, subject, connections: kind.connections, found, kills: rounds - found.count))
        }
      }
    }
    return (rows, killed)
  }

  private func makeFolder() throws(Failure) -> String {
    var template = Array("\(directory)/sqlite-benchmark.XXXXXX".utf8CString)
    let made = template.withUnsafeMutableBufferPointer { mkdtemp($0.baseAddress!) != nil }
    guard made else { throw Failure("make a folder in", directory, errno: errno) }
    let path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    // SQLite and the kernel's list of mappings have the whole path.
    guard let whole = realpath(path, nil) else { throw Failure("find", path, errno: errno) }
    defer { free(whole) }
    return String(cString: whole)
  }

  private func removeFolder(_ folder: String) {
    for size in Size.allCases {
      for end in ["", "-wal", "-shm", "-journal"] { unlink("\(folder)/\(size.rawValue).db\(end)") }
    }
    rmdir(folder)
  }
}
