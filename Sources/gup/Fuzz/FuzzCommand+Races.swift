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
    return files.isEmpty ? try runPairs(comparer, keptIn: folder) : try runRaceFiles(comparer)
  }

  private func runPairs(_ comparer: RaceComparer, keptIn folder: DifferenceFolder?) throws -> ExitCode {
    Interruption.catchFirst()
    let first = first ?? 0
    let seed = seed ?? 1
    let clock = ContinuousClock()
    let start = clock.now
    let deadline = minutes.map { start + .seconds($0 * 60) }
    let count = programs ?? (minutes == nil ? 1000 : Self.largestNumber)
    let campaign = RaceCampaign(seed: seed, first: first, limit: differences ?? 1, comparer: comparer)
    let progress = TerminalLine()
    let summary = try campaign.run { summary in
      progress.show("\(summary.pairs) pairs, \(summary.failures.count) failures")
      return summary.pairs < count && deadline.map { clock.now < $0 } ?? true
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
      let outcomes = result.kernelAlone.map { outcome, isOfAnOrder in
        "# the kernel alone, \(isOfAnOrder ? "one order" : "orders that differ by page"): \(outcome.joined(separator: "; "))\n"
      }
      folder.write(pair.file.text + outcomes.joined(), to: "seed-\(seed)-pair-\(number)-kernel-alone.gup")
    }
    progress.clear()
    let seconds = Int(((clock.now - start) / .seconds(1)).rounded())
    Output.standard.line(
      """
      seed \(seed), pairs \(first)..<\(first + summary.pairs): \(summary.orders) orders, \(summary.allowed) outcomes allowed; \
      raced: \(summary.byLibrary) by the library, \(summary.byKernel) by the kernel, \(summary.byKernelAlone) by the kernel alone; \
      \(summary.rounds) rounds; \(summary.staleTranslations) pairs with stale translations of the kernel's; \(summary.failures.count) failures, \(seconds) s
      """)
    if !summary.failures.isEmpty { return Self.differs }
    return Interruption.isRequested ? Self.interrupted : summary.pairs == 0 ? Self.unanswered : .success
  }

  private func runRaceFiles(_ comparer: RaceComparer) throws -> ExitCode {
    var compared = 0
    var fails = false
    for path in files {
      let file: ScenarioFile
      do throws(ParseFailure) {
        file = try ScenarioParser().parse(argument: path)
      } catch {
        for problem in error.errors { Output.error.line(problem.description) }
        throw Self.unanswered
      }
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
      compared += 1
      let result = try comparer.compare(pair, seed: 1)
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
