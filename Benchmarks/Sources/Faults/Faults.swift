import ArgumentParser
import Measuring
import Synchronization
import UserPages

/// Times faults, mappings and forks of the library beside the running kernel's, and beside clearing a page.
@main
struct Faults: MeasuringTool {
  static let configuration = CommandConfiguration(
    commandName: "faults",
    abstract: "What faults, mappings and forks cost, beside the running kernel's system calls.",
    discussion: """
      fault: the first store to each page, from memory that is resident in the host. memset clears as many pages and \
      does nothing else: compare the others' scaling with its own, which is the memory's. map-unmap: 16 pages; \
      map-touch-unmap: with a store to each. fork: of a space with resident pages, a page's share; the end of the child is \
      not counted. look-up and map-unmap-among: in a space with --among mappings of a page each. The kernel's figures include entering and leaving it, and the library's translation by the processor is \
      part of neither. So the comparison says what the same operation costs a program that keeps its own address spaces, \
      not that a kernel could be that fast.
      """
  )

  @Option(help: ArgumentHelp("Numbers of threads, separated by commas.", valueName: "n,n,..."))
  var threads = ThreadCounts([1, 2])

  @Option(help: ArgumentHelp("Pages faulted in, all threads together, and pages of the forked space.", valueName: "n"))
  var pages = 65536

  @Option(help: ArgumentHelp("Mappings that each thread makes.", valueName: "n"))
  var mappings = 2000

  @Option(help: ArgumentHelp("Rounds; each measures everything once.", valueName: "n"))
  var rounds = 5

  @Option(help: "The library's engine for pins: locked, reference or slot.")
  var engine = PinEngine.reference

  @Option(help: "What the library's threads share: space, machine, nothing.")
  var sharing = LibrarySubject.Sharing.space

  @Option(
    help: ArgumentHelp(
      "How far the threads' mappings lie apart in one space, in MiB: 1024 is a stripe, 2 is a table's node.",
      valueName: "n"))
  var distance = 1024

  @Flag(
    help: """
      Threads that meet nowhere in one space: --work map-unmap --work map-touch-unmap --sharing space --distance 1024.
      """)
  var disjoint = false

  @Option(help: ArgumentHelp("Mappings that are there for look-up and map-unmap-among.", valueName: "n"))
  var among = 100_000

  @Option(
    help: """
      The work that is measured, all by default: fault, map-unmap, map-touch-unmap, fork, look-up, map-unmap-among.
      """)
  var work: [FaultWork] = []

  @Flag(help: "Only the library, neither the kernel nor memset.")
  var libraryAlone = false

  @Flag(help: "Processor time instead of elapsed time, for a machine that other work shares.")
  var processorTime = false

  @Option(help: ArgumentHelp("Also draw the results as an SVG file.", valueName: "file"))
  var svg: String?

  @Option(help: ArgumentHelp("Also write the results as JSON.", valueName: "file"))
  var json: String?

  func validate() throws {
    guard threads.counts.allSatisfy({ (1...256).contains($0) }) else {
      throw ValidationError("--threads must be numbers from 1 to 256, separated by commas")
    }
    guard (1024...1 << 22).contains(pages) else { throw ValidationError("--pages must be from 1024 to \(1 << 22)") }
    guard (1...1_000_000).contains(mappings) else { throw ValidationError("--mappings must be from 1 to 1000000") }
    guard (1...1_000_000).contains(among) else { throw ValidationError("--among must be from 1 to 1000000") }
    guard !disjoint || work.isEmpty && sharing == .space && distance == 1024 else {
      throw ValidationError("--disjoint says what --work, --sharing and --distance are")
    }
    guard (1...1 << 16).contains(distance) else { throw ValidationError("--distance must be from 1 to 65536") }
    guard (1...1000).contains(rounds) else { throw ValidationError("--rounds must be from 1 to 1000") }
  }

  func measure() throws(Failure) {
    let picture = try svg.map { (path) throws(Failure) in try OutputFile(path, option: "--svg") }
    let others = svg.map { [(name: "the picture", path: $0)] } ?? []
    let results = try json.map { (path) throws(Failure) in try OutputFile(path, option: "--json", others: others) }
    let machine = Machine.current
    let engine = self.engine.rawValue
    try Standard.output(
      "\(pages) pages, \(mappings) mappings a thread, \(rounds) rounds, engine \(engine), threads share \(sharing.rawValue), "
        + "\(distance) MiB apart, among \(among) mappings; "
        + "\(machine.description)\n")
    var subjects: [any FaultSubject] = [
      try LibrarySubject(
        pages: pages, engine: self.engine, sharing: sharing, distance: distance << 20, others: among,
        threads: sharing == .space ? 1 : threads.counts.max() ?? 1)
    ]
    if !libraryAlone { subjects += [KernelSubject(), try MemsetSubject(pages: pages)] }
    let works = disjoint ? [.mapUnmap, .mapTouchUnmap] : work.isEmpty ? FaultWork.allCases : work
    let cells = works.flatMap { work in
      (work.isParallel ? threads.counts : [1]).flatMap { threads in
        subjects.indices.filter { subjects[$0].can(work) }.map { (work: work, threads: threads, subject: $0) }
      }
    }
    let progress = Progress()
    var values = [[Double]](repeating: [], count: cells.count)
    for round in 0..<rounds {
      for index in Rounds.order(of: cells.count, in: round) {
        let (work, threads, subject) = cells[index]
        progress.show("round \(round + 1)/\(rounds), \(work.rawValue), \(threads) threads, \(subjects[subject].name)")
        values[index].append(try time(subjects[subject], work, threads))
      }
    }
    progress.clear()
    let rows = zip(cells, values).map { cell, values in
      FaultsRow(
        work: cell.work.rawValue, subject: subjects[cell.subject].name, threads: cell.threads, unit: cell.work.unit,
        nanoseconds: Spread(values))
    }
    let report = FaultsReport(
      config: FaultsConfig(
        pages: pages, mappings: mappings, rounds: rounds, engine: engine, sharing: sharing.rawValue, distance: distance,
        among: among, processorTime: processorTime, machine: machine),
      rows: rows)
    try Standard.output(report.text)
    let plot = ThreadsPlot(
      report, title: "ns an operation costs one thread: median, bar from least to most. \(machine.description)",
      works: works.filter { $0.isParallel }.map(\.rawValue), threads: threads.counts)
    try picture?.write(plot.text.utf8)
    try results?.write(json: report)
  }

  /// Nanoseconds that one operation costs one thread, from the first thread's start to the last one's end. The threads'
  /// own times would say less: if there are more threads than processors, short ones run one after the other, each as
  /// if alone.
  private func time(_ subject: any FaultSubject, _ work: FaultWork, _ threads: Int) throws(Failure) -> Double {
    let operations =
      switch work {
      case .fault, .fork: pages / threads
      case .mapUnmap, .mapTouchUnmap, .mapUnmapAmong: mappings
      // As many as lie in no cache, unless few mappings are there.
      case .lookUp: among
      }
    try subject.prepare(work, operations: operations, threads: threads)
    if work == .fork, let kernel = subject as? KernelSubject {
      let elapsed = try kernel.timeFork()
      try subject.undo(work, operations: operations, threads: threads)
      return Double(elapsed) / Double(operations)
    }
    let tally = Tally()
    let group = try ThreadGroup(threads, bound: true) { thread in
      do throws(Failure) {
        let processorTime = Clock.processorTime()
        let began = Clock.now()
        try subject.perform(work, operations: operations, thread: thread)
        tally.add(began: began, ended: Clock.now(), processorTime: Clock.processorTime() - processorTime)
      } catch {
        tally.fail(error)
      }
    }
    group.open()
    group.join()
    let times = try tally.times()
    let nanoseconds = Double(processorTime ? times.processor / UInt64(threads) : times.elapsed) / Double(operations)
    try subject.undo(work, operations: operations, threads: threads)
    return nanoseconds
  }
}

extension PinEngine: @retroactive ExpressibleByArgument {}
extension FaultWork: ExpressibleByArgument {}
extension LibrarySubject.Sharing: ExpressibleByArgument {}

/// From when to when the threads of one measurement were at work.
private final class Tally: Sendable {
  private let state = Mutex((began: UInt64.max, ended: UInt64.min, processor: 0 as UInt64, error: Failure?.none))

  func add(began: UInt64, ended: UInt64, processorTime: UInt64) {
    state.withLock {
      $0.processor += processorTime
      $0.began = min($0.began, began)
      $0.ended = max($0.ended, ended)
    }
  }

  func fail(_ error: Failure) { state.withLock { $0.error = error } }

  /// From the first thread's start to the last one's end, and the processor time of all.
  func times() throws(Failure) -> (elapsed: UInt64, processor: UInt64) {
    let (began, ended, processor, error) = state.withLock { $0 }
    if let error { throw error }
    return (ended - began, processor)
  }
}
