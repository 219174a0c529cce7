import Scenario
import Testing

@testable import Fuzz

/// The steps of halves, their orders, and what they allow.
@Suite struct RaceTests {
  private func pair(_ halves: String, setup: String = "space A", looks: String = "") throws -> RacePair {
    try RacePair(halves: halves, setup: setup, looks: looks)
  }

  private func steps(_ half: String, setup: String = "space A") throws -> [String] {
    let divided = DividedPair(try pair("\(half)\nand", setup: setup))
    return divided.steps[0].map { ($0.continues ? "+ " : "") + $0.statement.description }
  }

  @Test func keptOutcomesAreReadAgain() throws {
    let pair = try pair("write A 0x1000 0a\nand\nread A 0x1000 1")
    let kept = KernelAlone(pair: pair, outcomes: [["ok", ""], ["", "0a"], ["SIGSEGV", "SIGSEGV"]])
    let file = try ScenarioParser().parse(text: kept.text, path: "pair")
    #expect(KernelAlone(file, text: kept.text)?.outcomes == kept.outcomes)
    let cut = kept.text.split(separator: "\n").map { $0.hasSuffix(" ") ? $0.dropLast() : $0 }.joined(separator: "\n")
    #expect(KernelAlone(file, text: cut)?.outcomes == kept.outcomes)
    #expect(KernelAlone(pair.file, text: pair.file.text) == nil)
  }

  @Test func statementsAreDividedIntoPages() throws {
    #expect(try steps("write A 0x1fff 0a0b") == ["write A 0x1fff 0a", "+ write A 0x2000 0b"])
    #expect(try steps("read A 0x1fff 4097") == ["read A 0x1fff 1", "+ read A 0x2000 4096"])
    #expect(try steps("write A 0x1000 0a") == ["write A 0x1000 0a"])
    #expect(try steps("rwrite A 0x1fff 0a0b") == ["rwrite A 0x1fff 0a", "+ rwrite A 0x2000 0b"])
    #expect(try steps("protect A 0x1000 2 r") == ["protect A 0x1000 1 r", "+ protect A 0x2000 1 r"])
    #expect(try steps("advise A 0x1000 2 dontneed") == ["advise A 0x1000 1 dontneed", "advise A 0x2000 1 dontneed"])
    #expect(try steps("unmap A 0x1000 2") == ["unmap A 0x1000 2"])
    #expect(try steps("fork A B") == ["fork A B"])
    #expect(
      try steps("pin p A 0x1000 2 write longterm\npeek p 4097 1\nrelease p") == [
        "pin p.0 A 0x1000 1 write longterm", "+ pin p.1 A 0x2000 1 write longterm", "peek p.1 1 1", "release p.0",
        "release p.1",
      ])
  }

  @Test func everyOrderIsThereOnce() throws {
    let divided = DividedPair(try pair("write A 0x1000 01\nwrite A 0x1001 02\nand\nread A 0x1000 1\nread A 0x1001 1"))
    #expect(
      Set(divided.orders) == [[0, 0, 1, 1], [0, 1, 0, 1], [0, 1, 1, 0], [1, 0, 0, 1], [1, 0, 1, 0], [1, 1, 0, 0]])
    let six = Array(repeating: "read A 0x1000 1", count: 6).joined(separator: "\n")
    let orders = DividedPair(try pair("\(six)\nand\n\(six)")).orders
    #expect(orders.count == 924)
    #expect(Set(orders).count == 924)
  }

  static let composed: [(String, [String], String)] = [
    ("read A 0x1fff 2", ["01", "02"], "0102"), ("read A 0x1fff 2", ["01", "SIGSEGV"], "SIGSEGV"),
    ("read A 0x1fff 2", ["SIGBUS", "skipped"], "SIGBUS"), ("write A 0x1fff 0102", ["ok", "ok"], "ok"),
    ("write A 0x1fff 0102", ["ok", "SIGSEGV"], "SIGSEGV"), ("rread A 0x1fff 2", ["01", "EFAULT"], "01"),
    ("rread A 0x1fff 2", ["EFAULT", "skipped"], "EFAULT"), ("rwrite A 0x1fff 0102", ["ok", "EFAULT"], "1"),
    ("rwrite A 0x1fff 0102", ["EFAULT", "skipped"], "EFAULT"), ("pin p A 0x1000 2", ["1", "1"], "2"),
    ("pin p A 0x1000 2", ["1", "EFAULT"], "1"), ("pin p A 0x1000 2", ["EFAULT", "skipped"], "EFAULT"),
    ("advise A 0x1000 2 dontneed", ["ENOMEM", "ok"], "ENOMEM"), ("protect A 0x1000 2 r", ["ok", "ok"], "ok"),
  ]

  @Test(arguments: composed)
  func stepsMakeTheStatementsAnswer(statement: String, answers: [String], answer: String) throws {
    let divided = DividedPair(try pair("\(statement)\nand"))
    #expect(divided.halves[0][0].composed(answers) == answer)
  }

  /// The fault of each load and store becomes a step, one at a time.
  @Test func faultsComeApart() throws {
    let divided = DividedPair(try pair("get p A 0x1000 1\nwrite A 0x1fff 0102\nand\nread A 0x1001 1"))
    let finer = divided.withFaultsApart
    let texts = finer.map { $0.steps.map { $0.map { ($0.continues ? "+ " : "") + $0.statement.description } } }
    let (get, read) = ("get p A 0x1000 1", "read A 0x1001 1")
    let write = ["write A 0x1fff 01", "+ write A 0x2000 02"]
    #expect(
      texts == [
        [[get, "advise A 0x1000 1 populate-write", "advise A 0x2000 1 populate-write"] + write, [read]],
        [[get] + write, ["advise A 0x1000 1 populate-read", read]],
      ])
    var judge = RaceJudge(try pair("write A 0x1000 01\nand\nread A 0x1000 1"), divided, [])
    #expect(judge.outcomes == [])
    // The answers of the faults do not count.
    judge.allow(finer[1], [["1", "ok", "ok", "ENOMEM", "02"]])
    #expect(judge.outcomes == [["1", "ok", "02"]])
  }

  /// The kernel empties the entries of a guard, and then stores the markers.
  @Test func guardsComeApart() throws {
    let pair = try pair(
      "advise A 0x1000 2 guard-install\nand\npin p A 0x1000 1 write longterm\npeek p 0 1",
      setup: "space A\nmap A 0x1000 2 rw private anon\nwrite A 0x1000 01")
    let divided = DividedPair(pair)
    let finer = try #require(divided.withGuardsApart)
    #expect(
      finer.steps[0].map(\.statement.description) == [
        "advise A 0x1000 1 dontneed", "advise A 0x2000 1 dontneed", "advise A 0x1000 1 guard-install",
        "advise A 0x2000 1 guard-install",
      ])
    #expect(DividedPair(try self.pair("read A 0x1000 1\nand")).withGuardsApart?.setup == nil)

    // Only in between the pin finds zeroes. Seed 401, pair 7917.
    let racer = try LibraryRacer(engine: .reference)
    let outcome = [["ok", "1", "00"]: 1]
    var judge = RaceJudge(pair, divided, divided.orders.map { racer.answers(to: divided, in: $0) })
    #expect(judge.failure(in: outcome, by: "the kernel") != nil)
    judge.allow(finer, finer.orders.map { racer.answers(to: finer, in: $0) })
    #expect(judge.failure(in: outcome, by: "the kernel") == nil)
    #expect(racer.leak() == nil)
  }

  /// A remote access to one page pins it and copies, and something may come in between.
  @Test func pinsComeApart() throws {
    let divided = DividedPair(
      try pair("rread A 0x1001 2\nrwrite A 0x1fff 0102\nand\nrwrite A 0x2001 03\nread A 0x2001 1"))
    let finer = divided.withPinsApart
    let texts = finer.map { $0.steps.map { $0.map { ($0.continues ? "+ " : "") + $0.statement.description } } }
    let (read, load) = ("rread A 0x1001 2", "read A 0x2001 1")
    let overTwo = ["rwrite A 0x1fff 01", "+ rwrite A 0x2000 02"]
    #expect(
      texts == [
        [
          ["pin remote.0.0 A 0x1000 1", "+ peek remote.0.0 1 2", "+ release remote.0.0"] + overTwo,
          ["rwrite A 0x2001 03", load],
        ],
        [
          [read] + overTwo,
          ["pin remote.1.0 A 0x2000 1 write", "+ poke remote.1.0 1 03", "+ release remote.1.0 dirty", load],
        ],
      ])
    // The copy answers for the access; without the page there is none.
    #expect(finer[0].halves[0][0].composed(["0a0b", "ok"]) == "0a0b")
    #expect(finer[0].halves[0][0].composed(["skipped", "skipped"]) == "EFAULT")
    #expect(finer[1].halves[1][0].composed(["ok", "ok"]) == "ok")
  }

  /// A page that was pinned is read though it has gone from the space, and stored to though a child shows its copy:
  /// only orders with the pin apart explain that.
  @Test(arguments: [
    (
      "rread A 0x1000 1\nand\nunmap A 0x1000 1\npoke p 0 05", "pin p A 0x1000 1 write longterm", "",
      ["05", "ok", "ok"]
    ),
    (
      "rwrite A 0x1000 03\nand\nwrite A 0x1000 05\nprotect A 0x1000 1 r\nfork A B", "write A 0x1000 01",
      "read A 0x1000 1\nread B 0x1000 1", ["ok", "ok", "ok", "ok", "03", "05"]
    ),
  ])
  func aPageThatWasPinnedIsCopied(halves: String, before: String, looks: String, outcome: [String]) throws {
    let pair = try pair(halves, setup: "space A\nmap A 0x1000 1 rw private anon\n\(before)", looks: looks)
    let racer = try LibraryRacer(engine: .reference)
    let divided = DividedPair(pair)
    var judge = RaceJudge(pair, divided, divided.orders.map { racer.answers(to: divided, in: $0) })
    #expect(judge.failure(in: [outcome: 1], by: "the library") != nil)
    for finer in divided.withPinsApart { judge.allow(finer, finer.orders.map { racer.answers(to: finer, in: $0) }) }
    #expect(judge.failure(in: [outcome: 1], by: "the library") == nil)
    #expect(racer.leak() == nil)
  }

  /// A side that has shown as much as the orders have stops after the fewest rounds. Others run them all.
  @Test func racesEndEarly() throws {
    let rounds = RaceRounds(most: 20, fewest: 5)
    #expect([4, 5, 19, 20].map { rounds.areEnough($0, showing: 2, goal: 2) } == [false, true, true, true])
    #expect([4, 5, 19, 20].map { rounds.areEnough($0, showing: 1, goal: 2) } == [false, false, false, true])
    #expect(RaceRounds(most: 3).areEnough(3, showing: 0, goal: 1))

    let pair = try pair(
      "write A 0x1000 01\nand\nread A 0x2000 1", setup: "space A\nmap A 0x1000 2 rw private anon", looks: "")
    let racer = try LibraryRacer(engine: .reference)
    #expect(racer.outcomes(of: pair, rounds: rounds, goal: 1, seed: 1) == [["ok", "00"]: 5])
    #expect(racer.outcomes(of: pair, rounds: rounds, goal: 2, seed: 1) == [["ok", "00"]: 20])
    #expect(racer.leak() == nil)
  }

  @Test func pairsAreFunctionsOfTheirSeeds() {
    func text(_ seed: UInt64, _ number: Int) -> String {
      var generator = RaceGenerator(seed: seed, pair: number)
      return generator.pair(path: "pair").file.text
    }
    #expect(text(1, 2) == text(1, 2))
    #expect(text(1, 2) != text(1, 3))
    #expect(text(1, 2) != text(2, 2))
  }

  @Test func pairsHaveEveryKindOfHalf() throws {
    var words: Set<String> = []
    for number in 0..<200 {
      var generator = RaceGenerator(seed: 6, pair: number)
      let pair = generator.pair(path: "pair")
      #expect(pair.firstIncomparable == nil)
      #expect(try ScenarioParser().parse(text: pair.file.text, path: "pair").text == pair.file.text)
      let divided = DividedPair(pair)
      #expect(divided.orders.count <= 924)
      for statement in pair.halves.flatMap({ $0 }) {
        words.formUnion(statement.description.split(separator: " ").map(String.init))
      }
    }
    let wanted: Set = [
      "read", "write", "rread", "rwrite", "readfile", "writefile", "truncate", "punch", "map", "unmap", "protect",
      "remap",
      "dontneed", "pageout", "populate-write", "guard-install", "fork", "exit", "pin", "get", "peek", "poke", "release",
    ]
    #expect(wanted.subtracting(words) == [])
  }
}
