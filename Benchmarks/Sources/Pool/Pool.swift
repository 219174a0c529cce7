import ArgumentParser
import CPools
import Measuring
import UserPages

/// Times pages of a file that is larger than memory: the library's page cache behind a mapping, beside what one would
/// take instead.
@main
struct Pool: MeasuringTool {
  static let configuration = CommandConfiguration(
    commandName: "pool",
    abstract: "A file eight times as large as its memory: hits, misses, stores, and what they cost.",
    discussion: """
      cache-locked, -reference and -slot pin a page of a mapping, use it and release it; cache-load loads and stores by address. \
      bare- subjects do the same pins on anonymous memory. mmap is the kernel's, kept at the same residency by a memory \
      cgroup, or where none can be made by a thread that takes pages out (MADV_PAGEOUT). textbook is a hash table and a list \
      under a mutex; rocksdb is RocksDB's block cache, where a store is written at once. disk reads and writes each page.

      Every subject has a turn in every round, is made for it and ended after it. Reads are direct (O_DIRECT) except mmap's. RSS/limit \
      is what the process grew by since the subject was empty, over what it may hold. cpu us is the processor time of the \
      whole process for an access.

      With --writes it measures nothing: threads store and sync until the program is killed, and say what is safe.
      """
  )

  @Option(help: ArgumentHelp("Where the file is made. It has no name, and is gone afterwards.", valueName: "path"))
  var directory = "."

  @Option(help: ArgumentHelp("MiB of the file.", valueName: "n"))
  var size = 1024

  @Option(help: ArgumentHelp("MiB of memory for its pages. Default: an eighth of the file.", valueName: "n"))
  var memory: Int?

  @Option(help: ArgumentHelp("Numbers of threads, separated by commas.", valueName: "n,n,..."))
  var threads = ThreadCounts([1, 2])

  @Option(help: ArgumentHelp("Rounds; each gives every subject a turn.", valueName: "n"))
  var rounds = 3

  @Option(help: ArgumentHelp("Seconds of each measurement.", valueName: "s"))
  var seconds = 0.5

  @Option(help: ArgumentHelp("How many in 100 accesses store, where pages are missed.", valueName: "n"))
  var stores = 10.0

  @Flag(help: "Count processor time of hits: for a busy machine. Waiting asleep for a lock is not counted then.")
  var processorTime = false

  @Option(help: ArgumentHelp("Seed of the page numbers.", valueName: "n"))
  var seed: UInt64 = 1

  @Option(help: ArgumentHelp("Store to this new file and sync, until killed or for --seconds.", valueName: "file"))
  var writes: String?

  @Option(help: ArgumentHelp("Also draw the results as an SVG file.", valueName: "file"))
  var svg: String?

  @Option(help: ArgumentHelp("Also write the results as JSON.", valueName: "file"))
  var json: String?

  private var limit: Int { (memory.map { $0 << 20 } ?? (size << 20) / 8) / Page.size }
  private var pages: Int { (size << 20) / Page.size }

  func validate() throws {
    guard (1...1 << 20).contains(size) else { throw ValidationError("--size must be from 1 to \(1 << 20)") }
    guard limit >= 32, limit <= pages else { throw ValidationError("--memory must be from 1 to --size") }
    guard (1...1000).contains(rounds) else { throw ValidationError("--rounds must be from 1 to 1000") }
    guard seconds >= 0.01, seconds <= 3600 else { throw ValidationError("--seconds must be from 0.01 to 3600") }
    guard (0...100).contains(stores) else { throw ValidationError("--stores must be from 0 to 100") }
    if let most = threads.counts.max(), most > limit / 8 { throw ValidationError("--memory must be 8 pages a thread") }
  }

  func measure() throws(Failure) {
    if let writes {
      return try WriteRun(
        path: writes, pages: pages, limit: limit, threads: threads.counts.max() ?? 1, seconds: seconds
      )
      .run()
    }
    let picture = try svg.map { (path) throws(Failure) in try OutputFile(path, option: "--svg") }
    let others = svg.map { [(name: "the picture", path: $0)] } ?? []
    let results = try json.map { (path) throws(Failure) in try OutputFile(path, option: "--json", others: others) }
    let progress = Progress()
    let machine = Machine.current
    let file = try PoolFile(directory: directory, pages: pages) { progress.show("writing the file, \($0) %") }
    progress.clear()
    try Standard.output(
      "\(pages) pages, \(limit) in memory, \(rounds) rounds of \(seconds) s; \(machine.description)")
    try Standard.output(MappedFileSubject.limiting(limit))
    let config = PoolConfig(
      filePages: pages, limitPages: limit, storeShare: stores / 100, rounds: rounds, seconds: seconds, seed: seed,
      processorTime: processorTime, machine: machine)
    let report = PoolReport(
      config: config,
      rows: try turns(file, progress) + evictions(file, progress) + scans(file, progress) + writeBacks(file, progress))
    progress.clear()
    try Standard.output("\n" + report.text(threads: threads.counts))
    let plot = ThreadsPlot(
      report, title: "ns per access: median, bar from least to most. \(machine.description)",
      works: PoolWork.allCases.map(\.rawValue) + [PoolRow.evictions, PoolRow.scans, PoolRow.writeBacks],
      threads: threads.counts,
      first: ["cache-locked", "cache-reference", "cache-slot", "mmap", "textbook", "rocksdb"])
    try picture?.write(plot.text.utf8)
    try results?.write(json: report)
  }

  /// How each subject is made, by name.
  private func makers(_ file: PoolFile) throws(Failure) -> [(name: String, make: () throws -> any PoolSubject)] {
    var makers: [(name: String, make: () throws -> any PoolSubject)] = []
    for engine in PinEngine.allCases {
      let name = "bare-\(engine.rawValue)"
      makers.append((name, { try BareSubject(name, engine, pages: limit / 2) }))
    }
    for engine in PinEngine.allCases {
      let name = "cache-\(engine.rawValue)"
      makers.append((name, { try CacheSubject(name, engine, .pin, file, limit: limit) }))
    }
    makers.append(("cache-load", { try CacheSubject("cache-load", .slot, .load, file, limit: limit) }))
    makers.append(("mmap", { try MappedFileSubject(file, limit: limit) }))
    for pool in [pool_textbook, pool_rocksdb] {
      let name = String(cString: pool.name)
      guard CPoolSubject(pool, file, limit: 64) != nil else {
        try Standard.output("\(name) is left out: this machine does not have it, or does not allow it")
        continue
      }
      makers.append(
        (
          name,
          {
            guard let subject = CPoolSubject(pool, file, limit: limit) else { throw Failure("cannot make \(name)") }
            return subject
          }
        ))
    }
    makers.append(("disk", { try DiskSubject(file) }))
    return makers
  }

  private func turns(_ file: PoolFile, _ progress: Progress) throws(Failure) -> [PoolRow] {
    let makers = try makers(file)
    let settings = PoolSettings(
      pages: pages, limit: limit, threads: threads.counts, seconds: seconds, storeShare: stores / 100, seed: seed,
      usesProcessorTime: processorTime)
    var cells: [[PoolWork: [Int: [Cell]]]] = Array(repeating: [:], count: makers.count)
    for round in 0..<rounds {
      for index in Rounds.order(of: makers.count, in: round) {
        let (name, make) = makers[index]
        let subject: any PoolSubject
        do { subject = try make() } catch { throw Failure("cannot make \(name): \(error)") }
        try Turn(settings: settings, round: round).run(subject) {
          progress.show("round \(round + 1)/\(rounds), \(name), \($0)")
        } result: { work, threads, cell in
          cells[index][work, default: [:]][threads, default: []].append(cell)
        }
      }
    }
    return PoolWork.allCases.flatMap { work in
      makers.indices.flatMap { index in
        threads.counts.compactMap { threads in
          cells[index][work]?[threads].map { PoolRow(work, makers[index].name, threads: threads, $0) }
        }
      }
    }
  }

  private func evictions(_ file: PoolFile, _ progress: Progress) throws(Failure) -> [PoolRow] {
    let cost = EvictionCost(file: file, limit: min(limit, 8192))
    let kinds = EvictionCost.batches.flatMap { batch in [1, 2].map { (batch: batch, threads: $0) } }
    var values = [[Double]](repeating: [], count: kinds.count)
    for round in 0..<rounds {
      for index in Rounds.order(of: kinds.count, in: round) {
        let (batch, threads) = kinds[index]
        progress.show("round \(round + 1)/\(rounds), evicting \(batch) at once")
        values[index].append(try cost.nanosecondsPerPage(batch: batch, reader: threads == 2))
      }
    }
    return kinds.indices.map { PoolRow(evicting: kinds[$0].batch, threads: kinds[$0].threads, values[$0]) }
  }

  private func scans(_ file: PoolFile, _ progress: Progress) throws(Failure) -> [PoolRow] {
    let cost = ScanCost(file: file, limit: limit, seconds: seconds)
    let kinds = ScanCost.readers.flatMap { readers in ScanCost.Reader.allCases.map { (reader: $0, readers: readers) } }
    var costs = [[ScanCost.Cost]](repeating: [], count: kinds.count)
    for round in 0..<rounds {
      for index in Rounds.order(of: kinds.count, in: round) {
        let (reader, readers) = kinds[index]
        progress.show("round \(round + 1)/\(rounds), scanning, \(PoolRow.scan(reader, readers))")
        costs[index].append(try cost.cost(reader, readers: readers))
      }
    }
    return kinds.indices.map { PoolRow(scanningBy: kinds[$0].reader, readers: kinds[$0].readers, costs[$0]) }
  }

  private func writeBacks(_ file: PoolFile, _ progress: Progress) throws(Failure) -> [PoolRow] {
    let cost = WriteBackCost(file: file, limit: min(limit, 8192), seconds: seconds)
    let kinds = [false, true].flatMap { storer in WriteBackCost.Way.all.map { (way: $0, storer: storer) } }
    var costs = [[WriteBackCost.Cost]](repeating: [], count: kinds.count)
    for round in 0..<rounds {
      for index in Rounds.order(of: kinds.count, in: round) {
        let (way, storer) = kinds[index]
        progress.show("round \(round + 1)/\(rounds), writing back, \(way.name)")
        costs[index].append(try cost.cost(way, storer: storer))
      }
    }
    return kinds.indices.map { PoolRow(writing: kinds[$0].way, storer: kinds[$0].storer, costs[$0]) }
      + [PoolRow(copies: (0..<rounds).map { _ in cost.nanosecondsPerCopy() })]
  }
}
