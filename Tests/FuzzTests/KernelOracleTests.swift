import Foundation
import Fuzz
import Scenario
import TestSupport
import Testing
import UserPages

/// The running kernel as oracle.
@Suite(.enabled(if: RunningKernel.missing == nil, "\(RunningKernel.missing ?? "")"), .offThePool)
struct KernelOracleTests {
  /// A fixed run, so that a failure is the same on every machine. `gup fuzz` explores further.
  static let seed: UInt64 = 20080725
  /// The programs of one engine.
  static let programs = 600
  /// A slow computer runs fewer, but never fewer than this.
  static let fewestPrograms = 150
  /// Pairs of halves that race. A slow computer races fewer.
  static let pairs = 150, fewestPairs = 20
  /// The time after which they end, once the fewest have run.
  static let enoughTimeForPairs = Duration.seconds(4)
  /// The time after which an engine's run ends, once it has run the fewest programs.
  static let enoughTime = Duration.seconds(8)

  @Test(arguments: PinEngine.allCases)
  func randomProgramsAreAnsweredAsByTheKernel(engine: PinEngine) throws {
    let oracle = try KernelOracle(program: Tool.gup)
    let comparer = Comparer(runner: ScenarioRunner(engine: engine), oracle: oracle)
    let clock = ContinuousClock()
    let deadline = clock.now + Self.enoughTime
    let first = (PinEngine.allCases.firstIndex(of: engine) ?? 0) * Self.programs
    let summary = try Campaign(seed: Self.seed, first: first, comparer: comparer).run { summary in
      summary.programs < Self.fewestPrograms || (summary.programs < Self.programs && clock.now < deadline)
    }
    print("\(engine): seed \(Self.seed), programs from \(first): \(summary.compared) compared with the kernel")
    for (program, difference) in summary.differences {
      Issue.record("seed \(Self.seed), program \(program):\n\(difference)")
    }
    // The generator writes no program that cannot be compared, if this machine has an answer to each word. A missing
    // word excuses the programs that say it, and some are left in any case.
    let hasAllWords = RunningKernel.missingFeatures == nil && RunningKernel.missingDisk == nil
    if hasAllWords { #expect(summary.incomparable == [:]) }
    let floor = hasAllWords ? summary.programs * 9 / 10 : max(summary.programs / 20, 1)
    #expect(summary.differences.count > 0 || summary.compared >= floor)
  }

  /// The scenarios that teach the semantics, as far as real memory can answer them.
  @Test func scenarioFilesAreAnsweredAsByTheKernel() throws {
    let comparer = Comparer(runner: ScenarioRunner(), oracle: try KernelOracle(program: Tool.gup))
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("scenarios").path
    var compared = 0
    var missing = 0
    for name in try FileManager.default.subpathsOfDirectory(atPath: folder) where name.hasSuffix(".gup") {
      var file = try ScenarioParser().parse(path: "\(folder)/\(name)")
      // A look changes nothing, so the other statements answer the same without it.
      file.lines.removeAll { if case .look = $0.statement { true } else { false } }
      switch try comparer.compare(file) {
      case .same: compared += 1
      // This machine has no answer to one of its words.
      case .incomparable where Comparer.firstIncomparable(of: file) == nil: missing += 1
      case .incomparable: break
      case .different(let difference): Issue.record("\(name):\n\(difference)")
      }
    }
    print("\(compared) scenario files compared with the kernel, \(missing) have words that it lacks")
    #expect(compared + missing >= Self.fewestFiles && compared > 0)
  }

  /// Pairs of halves that race: what they show is what some order of their steps shows, here and on the kernel.
  @Test func racesShowWhatSomeOrderShows() throws {
    let rounds = RaceRounds(most: 20, fewest: 8)
    let comparer = try RaceComparer(oracle: try KernelOracle(program: Tool.gup), rounds: rounds)
    let clock = ContinuousClock()
    let deadline = clock.now + Self.enoughTimeForPairs
    let summary = try RaceCampaign(seed: Self.seed, comparer: comparer).run { summary in
      summary.pairs < Self.fewestPairs || (summary.pairs < Self.pairs && clock.now < deadline)
    }
    print("seed \(Self.seed): \(summary.pairs) pairs of halves, \(summary.orders) orders, \(summary.byKernel) outcomes")
    for (pair, failure) in summary.failures { Issue.record("seed \(Self.seed), pair \(pair):\n\(failure)") }
    // Pairs have one outcome each at least, and most of those that race have more.
    let raced = summary.pairs - summary.incomparable.values.reduce(0, +)
    if RunningKernel.missingFeatures == nil { #expect(raced == summary.pairs) }
    #expect(raced > 0 && summary.failures.count > 0 || (summary.byKernel > raced && summary.byLibrary > raced))
  }

  /// A pair with a word that the kernel has no answer to is not compared, and is counted as such.
  @Test func racesAskForNoMissingWord() throws {
    try withOracle(without: ["guard-install: too old", "punch: no such call"]) { oracle in
      let comparer = try RaceComparer(oracle: oracle, rounds: RaceRounds(most: 2, fewest: 2))
      let text = "space A\nmap A 0x10000 1 rw private anon\npar\nSTEP\nand\nread A 0x10000 1\nend\n"
      for (step, isMissing) in [("advise A 0x10000 1 guard-install", true), ("write A 0x10000 01", false)] {
        let file = try ScenarioParser().parse(text: text.replacing("STEP", with: step), path: "pair")
        let result = try comparer.compare(try #require(RacePair(file)), seed: 1)
        #expect((result.missing?.description == step) == isMissing)
        #expect((result.orders == 0 && result.rounds == 0) == isMissing && result.failure == nil)
      }
      let summary = try RaceCampaign(seed: Self.seed, comparer: comparer).run { $0.pairs < 40 }
      #expect(summary.incomparable.values.reduce(0, +) > 0)
      #expect(summary.incomparable.keys.allSatisfy { $0.hasSuffix("guard-install") || $0.hasPrefix("punch") })
      #expect(summary.failures.isEmpty && summary.orders > 0)
    }
  }

  /// Modes that would be empty on a machine are missing there. Programs with their words are compared all the same.
  @Test func modesMayBeMissing() throws {
    let effects: [(ProgramMode, String)] = [(.unshare, "frame"), (.swap, "swap"), (.huge, "huge")]
    let oracle = try KernelOracle(program: Tool.gup)
    try withOracle(without: effects.map { "\($0.1): not here" }) { other in
      for (mode, word) in effects {
        #expect(mode.whyMissing(other) == oracle.missingEffects[word] ?? "not here")
        #expect(other.missingWords[word] == nil)
      }
    }
    let swaps = (try? String(contentsOfFile: "/proc/swaps", encoding: .utf8))?.split(separator: "\n").count ?? 0
    if swaps < 2 { #expect(ProgramMode.swap.whyMissing(oracle) != nil) }
    let sizes = (try? String(contentsOfFile: "/sys/kernel/mm/transparent_hugepage/enabled", encoding: .utf8)) ?? ""
    if sizes.isEmpty || sizes.contains("[never]") { #expect(ProgramMode.huge.whyMissing(oracle) != nil) }
  }

  /// `gup` as oracle, of a machine that lacks more: each of `lines` is a word and a reason.
  private func withOracle(without lines: [String], _ body: (KernelOracle) throws -> Void) throws {
    try Tool.withFolder { folder in
      let path = "\(folder)/oracle"
      let greeting = lines.map { "echo 'without \($0)'\n" }.joined()
      let text = "#!/bin/sh\n\(greeting)exec '\(Tool.gup)' \"$@\"\n"
      try text.write(toFile: path, atomically: false, encoding: .utf8)
      try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
      try body(try KernelOracle(program: path))
    }
  }

  /// What not every kernel has: guard markers, seals, locks within the limit, secret memory.
  @Test(
    .enabled(
      if: RunningKernel.missingFeatures == nil, "the kernel has no answer to: \(RunningKernel.missingFeatures ?? "")"))
  func newerWordsAreAnsweredAsByTheKernel() throws {
    let text = """
      space A
      map A 0x10000000 4 rw private anon
      write A 0x10000000 aa*16384
      advise A 0x10001000 1 guard-install
      lock A 0x10002000 1
      advise A 0x10000000 4 dontneed
      seal A 0x10003000 1
      unmap A 0x10003000 1
      map A 0x20000000 1 rw shared secret
      write A 0x20000000 bb
      rread A 0x20000000 1
      fork A B
      advise B 0x10002000 1 dontneed
      read B 0x10000000 1
      read B 0x10001000 1
      read B 0x10002000 1
      read B 0x20000000 1
      protect B 0x10003000 1 r
      read A 0x10002000 1
      """
    try expectSame(text, path: "newer")
  }

  /// The scenarios about disk files, on a real disk.
  @Test(.enabled(if: RunningKernel.missingDisk == nil, "no disk for files: \(RunningKernel.missingDisk ?? "")"))
  func diskFilesAreAnsweredAsByTheKernel() throws {
    let text = """
      diskfile d 2 aa
      file f 2 bb
      space A
      map A 0x10000000 2 rw shared file:d
      map A 0x20000000 2 rw shared file:f
      pin p A 0x10000000 1 write longterm
      pin q A 0x20000000 1 write longterm
      truncate d 100
      truncate f 100
      write A 0x10000064 01
      write A 0x20000064 01
      truncate d 100
      read A 0x10000060 8
      write A 0x10000064 02
      write A 0x10000068 03
      writefile d 102 04
      read A 0x10000060 12
      sync d
      ondisk d 96 12
      read A 0x10000060 12
      truncate f 8192
      read A 0x20000060 8
      punch f 0 1
      peek q 0 4
      read A 0x20000000 4
      read A 0x10001000 1
      """
    try expectSame(text, path: "disk")
  }

  /// Pages of memory files and of shared anonymous memory that are paged out. A kernel without swap keeps them.
  @Test func sharedMemoryIsPagedOutAsByTheKernel() throws {
    let text = """
      file f 3 33
      space A
      map A 0x10000000 4 rw shared file:f
      map A 0x20000000 2 rw shared anon
      map A 0x30000000 3 rw private file:f
      write A 0x10000000 01
      write A 0x20000000 02
      write A 0x30001000 03
      advise A 0x10000000 4 pageout
      advise A 0x20000000 2 pageout
      advise A 0x30000000 3 pageout
      read A 0x10000000 2
      read A 0x10003000 1
      read A 0x20001000 1
      read A 0x30000ffe 4
      get p A 0x20000000 1
      advise A 0x20000000 1 pageout
      write A 0x20000001 04
      peek p 0 3
      release p
      fork A B
      advise B 0x20000000 1 pageout
      write B 0x20000002 05
      read A 0x20000000 4
      advise A 0x10000000 3 pageout
      truncate f 4098
      write A 0x10001002 06
      advise A 0x10000000 2 pageout
      truncate f 12288
      readfile f 4096 4
      read A 0x10002000 1
      advise A 0x10000000 3 pageout
      punch f 0 1
      read A 0x10000000 1
      read B 0x30001000 1
      lock A 0x20000000 1
      advise A 0x20000000 2 pageout
      rwrite A 0x20001000 07
      advise A 0x20001000 1 pageout
      rread B 0x20000fff 2
      """
    try expectSame(text, path: "shared")
  }

  /// Runs a scenario on both sides, and expects one answer to each statement.
  private func expectSame(_ text: String, path: String) throws {
    let comparer = Comparer(runner: ScenarioRunner(), oracle: try KernelOracle(program: Tool.gup))
    let outcome = try comparer.compare(try ScenarioParser().parse(text: text, path: path))
    guard case .same = outcome else {
      Issue.record("\(outcome)")
      return
    }
  }

  /// The scenario files that real memory can answer, if it has every word: 125 today. More may be added.
  private static let fewestFiles = 115
}
