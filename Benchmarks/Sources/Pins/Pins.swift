import ArgumentParser
import Measuring
import UserPages

/// Times pin and unpin of resident pages, the library's engines beside the same protocol by hand in C.
@main
struct Pins: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pins",
    abstract: "What pin and unpin of a resident page cost, beside the same protocol written by hand in C.",
    discussion: """
      Every subject is measured in every round, in turns, so that a slow moment of the machine falls on all of them. \
      ns/page is what one page costs one thread; scaling is the pages of all threads over the pages of one. Threads are \
      bound to processors; more threads than processors share them.
      """
  )

  @Option(help: "random: all pages; hot: one page; disjoint: each thread's own pages.")
  var work = WorkChoice.all

  @Option(help: ArgumentHelp("Numbers of threads, separated by commas.", valueName: "n,n,..."))
  var threads = ThreadCounts([1, 2, 4, 8])

  @Option(help: ArgumentHelp("Resident pages.", valueName: "n"))
  var pages = 16384

  @Option(help: ArgumentHelp("Rounds; each measures everything once.", valueName: "n"))
  var rounds = 5

  @Option(help: ArgumentHelp("Seconds of each measurement.", valueName: "s"))
  var seconds = 0.1

  @Option(help: ArgumentHelp("Seed of the page numbers.", valueName: "n"))
  var seed: UInt64 = 1

  @Option(help: ArgumentHelp("Also write the results as JSON.", valueName: "file"))
  var json: String?

  func validate() throws {
    guard (1...1 << 24).contains(pages) else { throw ValidationError("--pages must be from 1 to \(1 << 24)") }
    guard (1...1000).contains(rounds) else { throw ValidationError("--rounds must be from 1 to 1000") }
    guard seconds >= 0.001, seconds <= 3600 else { throw ValidationError("--seconds must be from 0.001 to 3600") }
    if let most = threads.counts.max(), most > pages { throw ValidationError("--pages must be at least one a thread") }
  }

  func run() throws {
    do throws(PinsError) {
      try measure()
    } catch {
      Progress().clear()
      Standard.error("pins: \(error)")
      throw ExitCode(1)
    }
  }

  private func measure() throws(PinsError) {
    let machine = Machine.current
    Standard.output("\(pages) resident pages, \(rounds) rounds; \(machine.description)\n")
    let subjects = try makeSubjects()
    let config = PinsReport.Config(pages: pages, rounds: rounds, seconds: seconds, seed: seed, machine: machine)
    let report = PinsReport(config: config, rows: try rows(subjects))
    Standard.output(report.text(works: work.works, threads: threads.counts))
    if let json {
      do { try JSONFile.write(report, to: json) } catch { throw PinsError("\(error)") }
    }
  }

  private func makeSubjects() throws(PinsError) -> [any Subject] {
    do {
      return [
        try EngineSubject("locked", .locked, pages: pages),
        try EngineSubject("reference", .reference, pages: pages),
        try EngineSubject("slot", .slot, pages: pages),
        ReferenceFloor(pages: pages),
      ]
    } catch {
      throw PinsError("cannot make \(pages) resident pages: \(error.name)")
    }
  }

  private func rows(_ subjects: [any Subject]) throws(PinsError) -> [PinsReport.Row] {
    let progress = Progress()
    defer { progress.clear() }
    let cells = work.works.flatMap { work in threads.counts.map { (work, $0) } }
    var values = [[[Double]]](repeating: Array(repeating: [], count: subjects.count), count: cells.count)
    for round in 0..<rounds {
      for (cell, (work, threads)) in cells.enumerated() {
        for turn in subjects.indices {
          // Nobody always comes after the same neighbour.
          let index = (turn + round) % subjects.count
          progress.show(
            "round \(round + 1)/\(rounds), \(work.rawValue), \(threads) threads, \(subjects[index].name)")
          let measurement = Measurement(
            subject: subjects[index], work: work, threads: threads, pages: pages, seconds: seconds,
            seed: seed &+ UInt64(round) << 32)
          values[cell][index].append(try measurement.nanosecondsPerPage())
        }
      }
    }
    var rows: [PinsReport.Row] = []
    for (cell, (work, threads)) in cells.enumerated() {
      for (index, subject) in subjects.enumerated() {
        rows.append(
          PinsReport.Row(
            work: work.rawValue, subject: subject.name, threads: threads, nanoseconds: Spread(values[cell][index])))
      }
    }
    return rows
  }
}

enum WorkChoice: String, CaseIterable, ExpressibleByArgument {
  case all, random, hot, disjoint

  var works: [Work] { Work(rawValue: rawValue).map { [$0] } ?? Work.allCases }
}

/// Numbers of threads as they are written on the command line: `1,2,4`.
struct ThreadCounts: ExpressibleByArgument {
  let counts: [Int]

  init(_ counts: [Int]) {
    self.counts = counts
  }

  init?(argument: String) {
    let parts = argument.split(separator: ",", omittingEmptySubsequences: false)
    let numbers = parts.compactMap { Int($0) }.filter { (1...512).contains($0) }
    guard !numbers.isEmpty, numbers.count == parts.count else { return nil }
    counts = numbers
  }

  var defaultValueDescription: String { counts.map(String.init).joined(separator: ",") }
}
