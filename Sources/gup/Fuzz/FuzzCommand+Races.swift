import ArgumentParser
import Fuzz
import Scenario
import UserPages

/// `gup fuzz --races`.
extension FuzzCommand {
  func runRaces(keptIn folder: DifferenceFolder?) throws -> ExitCode {
    let comparer: RaceComparer
    do {
      let most = times ?? 100
      comparer = try RaceComparer(
        oracle: try KernelOracle(), rounds: RaceRounds(most: most, fewest: fewest ?? min(25, most)))
    } catch let error as PageError {
      Output.error.line("gup fuzz: no machine to race on: \(error.name)")
      return Self.unanswered
    }
    if kept { return try runKept(comparer) }
    return files.isEmpty ? try runPairs(comparer, keptIn: folder) : try runRaceFiles(comparer)
  }

  /// Races the library on pairs that `--keep` kept, until it shows what the kernel alone had shown. Prints why the rest
  /// is not shown.
  private func runKept(_ comparer: RaceComparer) throws -> ExitCode {
    Interruption.catchFirst()
    var pairs = 0
    var counts: [KeptReason: Int] = [:]
    for path in files where !Interruption.isRequested {
      let file = try parse(path)
      let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
      guard let kept = KernelAlone(file, text: text) else {
        Output.standard.line("\(file.path): no outcome of the kernel alone is in it")
        continue
      }
      pairs += 1
      let reasons = try comparer.reasons(for: kept, seed: UInt64(pairs)).map { KeptReason($0, most: times ?? 100) }
      for reason in reasons { counts[reason, default: 0] += 1 }
      Output.standard.line("\(file.path): \(reasons.map(\.description).joined(separator: "; "))")
    }
    Output.standard.line("\(pairs) pairs, \(counts.values.reduce(0, +)) outcomes of the kernel alone")
    for (reason, count) in counts.sorted(by: { $0.key < $1.key }) { Output.standard.line("\(count): \(reason)") }
    return Interruption.isRequested ? Self.interrupted : pairs == 0 ? Self.unanswered : .success
  }

  private func runPairs(_ comparer: RaceComparer, keptIn folder: DifferenceFolder?) throws -> ExitCode {
    Interruption.catchFirst()
    let first = first ?? 0
    let seed = seed ?? 1
    let length = RunLength(count: programs, minutes: minutes)
    let campaign = RaceCampaign(seed: seed, first: first, limit: differences ?? 1, comparer: comparer)
    let progress = TerminalLine()
    let summary = try campaign.run { summary in
      progress.show("\(summary.pairs) pairs, \(summary.failures.count) failures")
      return length.hasMore(after: summary.pairs)
    } isInterrupted: {
      Interruption.isRequested
    } willRun: { pair in
      folder?.write("# seed \(seed), \(pair.path)\n\(pair.file.text)", to: "current.gup")
    } found: { number, failure in
      progress.clear()
      Output.standard.line("# seed \(seed), pair \(number)")
      Output.standard.line(failure.description)
      folder?.write(failure.pair.file.text, to: "seed-\(seed)-pair-\(number).gup")
    } didRace: { number, pair, result in
      guard let folder, result.byKernelAlone > 0 else { return }
      folder.write(
        KernelAlone(pair: pair, outcomes: result.kernelAlone).text,
        to: "seed-\(seed)-pair-\(number)-kernel-alone.gup")
    }
    progress.clear()
    Output.standard.line(
      """
      seed \(seed), pairs \(first)..<\(first + summary.pairs): \(summary.orders) orders, \(summary.allowed) outcomes allowed; \
      raced: \(summary.byLibrary) by the library, \(summary.byKernel) by the kernel, \(summary.byKernelAlone) by the kernel alone; \
      \(summary.rounds) rounds; \(summary.staleTranslations) pairs with stale translations of the kernel's; \(summary.failures.count) failures, \(length.seconds) s
      """)
    let incomparable = summary.incomparable.values.reduce(0, +)
    if let example = summary.incomparable.keys.min() {
      Output.standard.line(
        "not compared: \(incomparable) pairs (this machine has no answer to a statement such as '\(example)')")
    }
    if !summary.failures.isEmpty { return Self.differs }
    return Interruption.isRequested ? Self.interrupted : summary.pairs == incomparable ? Self.unanswered : .success
  }

  private func runRaceFiles(_ comparer: RaceComparer) throws -> ExitCode {
    var compared = 0
    var fails = false
    for path in files {
      let file = try parse(path)
      guard let pair = RacePair(file) else {
        Output.standard.line("\(file.path): not compared: it has not exactly one 'par', outside a 'repeat'")
        continue
      }
      if let statement = pair.firstIncomparable {
        Output.standard.line("\(file.path): not compared: real memory cannot answer '\(statement)'")
        continue
      }
      if pair.hasTooManyOrders {
        Output.standard.line("\(file.path): not compared: its halves have too many orders")
        continue
      }
      let result = try comparer.compare(pair, seed: 1)
      if let missing = result.missing {
        Output.standard.line("\(file.path): not compared: this machine has no answer to '\(missing)'")
        continue
      }
      compared += 1
      if let failure = result.failure {
        fails = true
        Output.standard.line("\(file.path): fails\n\(failure)")
      } else {
        Output.standard.line(
          """
          \(file.path): \(result.orders) orders, \(result.allowed) outcomes allowed; raced: \(result.byLibrary) by the library, \
          \(result.byKernel) by the kernel, \(result.byKernelAlone) by the kernel alone\
          \(result.showsStaleTranslation ? "; stale translations of the kernel's" : "")
          """)
      }
    }
    return fails ? Self.differs : compared == 0 ? Self.unanswered : .success
  }
}

/// Why the library did not show an outcome of the kernel's, as the last lines of `gup fuzz --races --kept` tell it.
private enum KeptReason: Hashable, Comparable, CustomStringConvertible {
  /// The library shows it within so many rounds.
  case shown(within: Int)
  case other(String)

  init(_ reason: KernelAlone.Reason, most: Int) {
    self =
      switch reason {
      case .shown(_, let round): .shown(within: [100, 1000].first { round < $0 && $0 < most } ?? most)
      case .ofAnOrder: .other("not by the library: an order of the steps")
      case .ofOrdersByPage: .other("not by the library: orders that differ by page")
      case .ofParts: .other("not by the library: an access apart from its fault, or a copy apart from its pin")
      case .ofGuards: .other("not by the library: a guard in two steps")
      case .ofStaleTranslation: .other("not by the library: a translation that a processor remembers")
      case .unexplained: .other("not by the library: no order explains it")
      }
  }

  var description: String {
    switch self {
    case .shown(let rounds): "the library shows it within \(rounds) rounds"
    case .other(let text): text
    }
  }
}
