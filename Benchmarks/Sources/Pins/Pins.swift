import ArgumentParser
import CFloor
import Measuring
import UserPages

/// Times pin and release of resident pages: the library's engines beside the same protocols by hand in C, and beside
/// what a programmer would pick instead.
@main
struct Pins: MeasuringTool {
  static let configuration = CommandConfiguration(
    commandName: "pins",
    abstract: "What pin and unpin of a resident page cost, beside the same protocols written by hand in C.",
    discussion: """
      Every subject is measured in every round, in turns, so that a slow moment of the machine falls on all of them. \
      ns/page is what one page costs one thread; scaling is the pages of all threads over the pages of one. Threads are \
      bound to processors; more threads than processors share them.

      With --peers: rwlock-table is the same table under a pthread_rwlock; cds_lfht is liburcu's lock-free hash table and \
      tbb oneTBB's concurrent_hash_map, each with a count for each page; dictionary is a Swift dictionary under a mutex; \
      kernel-io_uring registers and unregisters buffers, kernel-vmsplice fills a pipe and empties it to nowhere. None of \
      the peers could let a page be unmapped while it is held; the kernel's figures include its system calls.
      """
  )

  @Option(
    help: """
      random: all pages; hot: one page; disjoint: each thread's own pages; range512: 512 at once; huge512: 512 behind one \
      entry; untouched, untouched512: pages that show zeroes.
      """)
  var work = WorkChoice.all

  @Option(help: ArgumentHelp("Numbers of threads, separated by commas.", valueName: "n,n,..."))
  var threads = ThreadCounts([1, 2, 4, 8])

  @Option(help: ArgumentHelp("Resident pages.", valueName: "n"))
  var pages = 16384

  @Option(
    help: ArgumentHelp(
      "Instead of the kinds of work: pins of random pages while each thread holds so many, and another thread unmaps.",
      valueName: "n,n,..."))
  var held: HeldCounts?

  @Option(help: ArgumentHelp("Rounds; each measures everything once.", valueName: "n"))
  var rounds = 5

  @Option(help: ArgumentHelp("Seconds of each measurement.", valueName: "s"))
  var seconds = 0.1

  @Flag(help: "Count processor time: for a busy machine. Waiting asleep for a lock is not counted then.")
  var processorTime = false

  @Option(help: ArgumentHelp("Seed of the page numbers.", valueName: "n"))
  var seed: UInt64 = 1

  @Flag(help: "Also measure what one would pick instead, and ranges of 512 pages beside the running kernel.")
  var peers = false

  @Flag(help: "Also measure one load and one store through a mirror, and through the table: what needs no pin.")
  var accesses = false

  @Option(
    help: ArgumentHelp(
      "Also measure the C face, in the libuserpages.so of a Sources/UserPagesC/install.", valueName: "file"))
  var cLibrary: String?

  @Option(help: ArgumentHelp("Also draw the results as an SVG file.", valueName: "file"))
  var svg: String?

  @Option(help: ArgumentHelp("Also write the results as JSON.", valueName: "file"))
  var json: String?

  func validate() throws {
    guard (1...1 << 24).contains(pages) else { throw ValidationError("--pages must be from 1 to \(1 << 24)") }
    guard (1...1000).contains(rounds) else { throw ValidationError("--rounds must be from 1 to 1000") }
    guard seconds >= 0.001, seconds <= 3600 else { throw ValidationError("--seconds must be from 0.001 to 3600") }
    if let most = threads.counts.max(), most > pages { throw ValidationError("--pages must be at least one a thread") }
    if held != nil, svg != nil || peers || accesses || cLibrary != nil {
      throw ValidationError("--held measures the library's engines alone, and draws no picture")
    }
    if works.contains(where: \.isRange), pages < Work.rangePages {
      throw ValidationError("--pages must be at least \(Work.rangePages) for ranges of \(Work.rangePages)")
    }
  }

  private var works: [Work] {
    if let one = Work(rawValue: work.rawValue) { return [one] }
    return peers ? Work.allCases : [.random, .hot, .disjoint]
  }

  func measure() throws(Failure) {
    let picture = try svg.map { (path) throws(Failure) in try OutputFile(path, option: "--svg") }
    let others = svg.map { [(name: "the picture", path: $0)] } ?? []
    let results = try json.map { (path) throws(Failure) in try OutputFile(path, option: "--json", others: others) }
    let machine = Machine.current
    try Standard.output("\(pages) resident pages, \(rounds) rounds; \(machine.description)\n")
    let config = PinsConfig(
      pages: pages, rounds: rounds, seconds: seconds, seed: seed, processorTime: processorTime, machine: machine)
    if let held {
      let report = HeldReport(config: config, rows: try rows(held: held.counts))
      try Standard.output(report.text)
      try results?.write(json: report)
      return
    }
    let subjects = try makeSubjects()
    let report = PinsReport(config: config, rows: try rows(subjects))
    try Standard.output(report.text(works: works, threads: threads.counts))
    let plot = ThreadsPlot(
      report, title: "ns per page pinned and unpinned: median, bar from least to most. \(machine.description)",
      works: works.map(\.rawValue), threads: threads.counts,
      first: ["locked", "reference", "slot", "c-reference", "c-slot", "kernel-io_uring"])
    try picture?.write(plot.text.utf8)
    try results?.write(json: report)
  }

  private func makeSubjects() throws(Failure) -> [any Subject] {
    var subjects: [any Subject] = []
    do {
      subjects.append(try EngineSubject("locked", .locked, pages: pages))
      subjects.append(try EngineSubject("reference", .reference, pages: pages))
      subjects.append(try EngineSubject("slot", .slot, pages: pages))
      if accesses {
        for kind in AccessSubject.Kind.allCases { subjects.append(try AccessSubject(kind, pages: pages)) }
      }
    } catch {
      throw Failure("cannot make \(pages) resident pages: \(error.name)")
    }
    var floors = [floor_reference, floor_slot]
    if let cLibrary {
      if let problem = floor_open_c_face(cLibrary) { throw Failure("--c-library: \(String(cString: problem))") }
      floors += [floor_c_face_reference, floor_c_face_slot]
    }
    let others = [floor_rwlock_table, floor_cds_lfht, floor_tbb, floor_io_uring, floor_vmsplice]
    for peer in peers ? floors + others : floors {
      if let subject = CSubject(peer, pages: pages) {
        subjects.append(subject)
      } else {
        try Standard.output(
          "\(String(cString: peer.name)) is left out: this machine does not have it, or does not allow it")
      }
    }
    if peers { subjects.append(DictionarySubject(pages: pages)) }
    return subjects
  }

  private func rows(held: [Int]) throws(Failure) -> [HeldRow] {
    let progress = Progress()
    defer { progress.clear() }
    let cells = threads.counts.flatMap { threads in
      held.flatMap { held in [PinEngine.reference, .slot].map { (threads, held, $0) } }
    }
    var outcomes = [[HeldPins.Outcome]](repeating: [], count: cells.count)
    for round in 0..<rounds {
      for index in Rounds.order(of: cells.count, in: round) {
        let (threads, held, engine) = cells[index]
        progress.show("round \(round + 1)/\(rounds), \(threads) threads with \(held) pins, \(engine)")
        let pins = try HeldPins(engine, threads: threads, held: held, pages: pages)
        outcomes[index].append(try pins.measure(seconds: seconds, seed: seed &+ UInt64(round) << 32))
      }
    }
    return zip(cells, outcomes).map { HeldRow($0.2, threads: $0.0, held: $0.1, $1) }
  }

  private func rows(_ subjects: [any Subject]) throws(Failure) -> [PinsRow] {
    let progress = Progress()
    defer { progress.clear() }
    let cells = works.flatMap { work in threads.counts.map { (work, $0) } }
    var values = [[[Double]]](repeating: Array(repeating: [], count: subjects.count), count: cells.count)
    for round in 0..<rounds {
      for (cell, (work, threads)) in cells.enumerated() {
        for index in Rounds.order(of: subjects.count, in: round) where subjects[index].can(work) {
          progress.show(
            "round \(round + 1)/\(rounds), \(work.rawValue), \(threads) threads, \(subjects[index].name)")
          let measurement = Measurement(
            subject: subjects[index], work: work, threads: threads, pages: pages, seconds: seconds,
            seed: seed &+ UInt64(round) << 32, usesProcessorTime: processorTime)
          values[cell][index].append(try measurement.nanosecondsPerPage())
        }
      }
    }
    var rows: [PinsRow] = []
    for (cell, (work, threads)) in cells.enumerated() {
      for (index, subject) in subjects.enumerated() where subject.can(work) {
        rows.append(
          PinsRow(
            work: work.rawValue, subject: subject.name, threads: threads, nanoseconds: Spread(values[cell][index])))
      }
    }
    return rows
  }
}

enum WorkChoice: String, CaseIterable, ExpressibleByArgument {
  case all, random, hot, disjoint, range512, huge512, untouched, untouched512
}
