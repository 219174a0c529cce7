import Scenario
import Testing

@testable import Fuzz

extension RacePair {
  /// A pair of `halves`, which a line `and` divides.
  init(halves: String, setup: String, looks: String) throws {
    let text = "\(setup)\npar\n\(halves)\nend\n\(looks)"
    self = try #require(RacePair(try ScenarioParser().parse(text: text, path: "pair")))
  }
}

/// Which outcomes the orders of a pair explain.
@Suite struct RaceJudgeTests {
  /// Whether `outcome` is allowed for the pair, if its orders answer `answers`.
  private func failure(
    _ halves: String, _ looks: String, setup: String = "space A", answers: [[String]], outcome: [String]
  ) throws -> RaceFailure? {
    let pair = try RacePair(halves: halves, setup: setup, looks: looks)
    return RaceJudge(pair, DividedPair(pair), answers).failure(in: [outcome: 1], by: "the library")
  }

  /// Statements of one step each: an outcome must be one of an order, as a whole.
  @Test func wholeOutcomesAreCompared() throws {
    let halves = "write A 0x1000 01\nread A 0x2000 1\nand\nwrite A 0x2000 02\nread A 0x1000 1"
    let answers = [["ok", "00", "ok", "01"], ["ok", "02", "ok", "01"], ["ok", "02", "ok", "00"]]
    for outcome in answers { #expect(try failure(halves, "", answers: answers, outcome: outcome) == nil) }
    // Neither half sees the other's store: no order does that.
    let failure = try failure(halves, "", answers: answers, outcome: ["ok", "00", "ok", "00"])
    #expect(
      failure?.description == """
        # the library, 1 times: no order explains this outcome
        space A
        par
        write A 0x1000 01 => ok
        read A 0x2000 1 => 00
        and
        write A 0x2000 02 => ok
        read A 0x1000 1 => 00
        end
        """)
  }

  /// A fork is done page by page: each page of the outcome must be one of an order.
  @Test func pagesAreComparedAlone() throws {
    let halves = "fork A B\nand\nwrite A 0x1000 01\nwrite A 0x2000 02"
    let looks = "read B 0x1000 1\nread B 0x2000 1"
    let answers = [
      ["ok", "ok", "ok", "00", "00"], ["ok", "ok", "ok", "01", "00"], ["ok", "ok", "ok", "01", "02"],
    ]
    #expect(try failure(halves, looks, answers: answers, outcome: ["ok", "ok", "ok", "00", "02"]) == nil)
    #expect(try failure(halves, looks, answers: answers, outcome: ["ok", "ok", "ok", "03", "02"]) != nil)
    #expect(try failure(halves, looks, answers: answers, outcome: ["ok", "SIGSEGV", "ok", "00", "00"]) != nil)
    #expect(try failure(halves, looks, answers: answers, outcome: ["ENOMEM", "ok", "ok", "00", "00"]) != nil)
  }

  /// A cut empties the entries of one space after another, so one space may show it and the other not yet.
  @Test func aCutComesToEachSpaceAlone() throws {
    let halves = "truncate f 0\nand\nread B 0x1000 1\nread A 0x1000 1"
    let answers = [["ok", "01", "01"], ["ok", "01", "SIGBUS"], ["ok", "SIGBUS", "SIGBUS"]]
    let setup = "file f 1\nspace A\nspace B"
    func fails(_ halves: String, _ outcome: [String]) throws -> Bool {
      try failure(halves, "", setup: setup, answers: answers, outcome: outcome) != nil
    }
    #expect(try !fails(halves, ["ok", "SIGBUS", "01"]))
    #expect(try fails(halves, ["ok", "SIGBUS", "02"]))
    #expect(try fails(halves.replacing("truncate f 0", with: "fork A C"), ["ok", "SIGBUS", "01"]))
  }

  /// A load or store over two pages that failed does not say at which page. Its error must be one that some order has.
  @Test func aFailureAtOneOfTwoPagesFitsEither() throws {
    let halves = "write A 0x1fff 0102\nand\nunmap A 0x1000 2\nread A 0x1000 1"
    let answers = [
      ["ok", "ok", "ok", "SIGSEGV"], ["ok", "SIGSEGV", "ok", "SIGSEGV"], ["SIGSEGV", "skipped", "ok", "SIGSEGV"],
    ]
    #expect(try failure(halves, "", answers: answers, outcome: ["SIGSEGV", "ok", "SIGSEGV"]) == nil)
    #expect(try failure(halves, "", answers: answers, outcome: ["SIGSEGV", "ok", "00"]) != nil)
    #expect(try failure(halves, "", answers: answers, outcome: ["SIGBUS", "ok", "SIGSEGV"]) != nil)
  }

  /// Statements over two pages of which no order fails, with the answers of their steps and outcomes that are wrong.
  static let neverFailing: [(String, [String], [String])] = [
    ("write A 0x1fff 0102", ["ok", "ok"], ["SIGBUS"]), ("read A 0x1fff 2", ["00", "00"], ["SIGBUS"]),
    ("protect A 0x1000 2 r", ["ok", "ok"], ["ENOMEM"]),
    ("advise A 0x1000 2 populate-write", ["ok", "ok"], ["EFAULT"]),
    ("rread A 0x1fff 2", ["00", "00"], ["EFAULT", "00"]), ("rwrite A 0x1fff 0102", ["ok", "ok"], ["EFAULT", "1"]),
    ("pin p A 0x1000 2 write longterm", ["1", "1"], ["EFAULT", "1", "EINTR"]),
  ]

  @Test(arguments: neverFailing)
  func noFailureIsExplainedByOrdersWithoutOne(statement: String, steps: [String], outcomes: [String]) throws {
    let composed = ["0x1fff 2", "longterm"].contains { statement.hasSuffix($0) } ? steps.joined() : "ok"
    let whole = statement.hasPrefix("pin") ? "2" : composed
    let halves = "\(statement)\nand\nunmap A 0x5000 2"
    #expect(try failure(halves, "", answers: [steps + ["ok"]], outcome: [whole, "ok"]) == nil)
    for outcome in outcomes {
      #expect(try failure(halves, "", answers: [steps + ["ok"]], outcome: [outcome, "ok"]) != nil, "\(outcome)")
    }
  }

  /// An order that fails at a page says nothing for bytes that came from there.
  @Test func aFailureIsNoExcuseForBytes() throws {
    let read = "read A 0x1fff 2\nand\nunmap A 0x1000 2"
    let answers = [
      ["01", "02", "ok"], ["01", "SIGSEGV", "ok"], ["SIGSEGV", "skipped", "ok"],
    ]
    for outcome in [["0102", "ok"], ["SIGSEGV", "ok"]] {
      #expect(try failure(read, "", answers: answers, outcome: outcome) == nil)
    }
    for bytes in ["ffff", "01ff", "ff02"] {
      #expect(try failure(read, "", answers: answers, outcome: [bytes, "ok"]) != nil, "\(bytes)")
    }
    // Which page failed is known of a remote access and of a pin.
    let remote = read.replacing("read", with: "rread")
    #expect(try failure(remote, "", answers: [["01", "EFAULT", "ok"]], outcome: ["01", "ok"]) == nil)
    #expect(try failure(remote, "", answers: [["01", "EFAULT", "ok"]], outcome: ["EFAULT", "ok"]) != nil)
    let pin = "pin p A 0x1000 2 write longterm\nand\nunmap A 0x1000 2"
    let granted = [["1", "EFAULT", "ok"], ["EFAULT", "skipped", "ok"]]
    for (outcome, isAllowed) in [("1", true), ("EFAULT", true), ("2", false), ("ENOMEM", false)] {
      #expect(try (failure(pin, "", answers: granted, outcome: [outcome, "ok"]) == nil) == isAllowed, "\(outcome)")
    }
  }

  static let stale: [(String, [UInt64])] = [
    ("rwrite A 0x1002 05\nwrite A 0x1001 03\nand\nadvise A 0x1000 1 dontneed", [1]),
    ("unmap A 0x1000 1\nand\nread A 0x1fff 2", [1]), ("truncate f 0\nand\nread A 0x1fff 2", [1, 2]),
    ("fork A B\nand\nwrite A 0x1fff 01", [1]), ("remap A 0x5000 1 0x1000 1\nand\nwrite A 0x1fff 01", [1]),
    ("truncate f 0\nand\nread C 0x1000 1", [1]),
    // Another page, no load or store, and in one half.
    ("unmap A 0x1000 1\nand\nread A 0x2000 1", []), ("rwrite A 0x1000 01\nand\nadvise A 0x1000 1 dontneed", []),
    ("unmap A 0x1000 1\nread A 0x1000 1\nand\nrread A 0x1000 1", []),
    ("advise A 0x1000 1 populate-write\nand\nread A 0x1000 1", []),
    // Another space.
    ("unmap C 0x1000 1\nand\nread A 0x1000 1", []), ("exit C\nand\nread A 0x1000 1", []),
    ("fork A B\nand\nwrite C 0x1000 01", []), ("advise A 0x1000 1 dontneed\nand\nread C 0x1000 1", []),
  ]

  @Test(arguments: stale) func translationsMayBeStale(halves: String, pages: [UInt64]) throws {
    let pair = try RacePair(halves: halves, setup: "file f 1\nspace A\nfork A C", looks: "")
    let found = pair.racedTranslations(RacePlaces(pair)).compactMap { page in
      if case .address(let number, _) = page { number } else { nil }
    }
    #expect(found.sorted() == pages)
  }

  /// A stale translation excuses an outcome that is wrong at the page of the access alone.
  @Test(arguments: [
    // The store by the old translation, and a fresh page that the other half has emptied.
    (["ok", "ok", "ok", "0005", "00"], true),
    // The other page is wrong as well, or alone.
    (["ok", "ok", "ok", "0005", "07"], false), (["ok", "ok", "ok", "0305", "07"], false),
    // A processor looks again before it reports a fault.
    (["ok", "SIGSEGV", "ok", "0005", "00"], false),
  ])
  func aStaleTranslationExplainsItsPage(outcome: [String], isExcused: Bool) throws {
    let pair = try RacePair(
      halves: "rwrite A 0x1001 05\nwrite A 0x1000 03\nand\nadvise A 0x1000 1 dontneed", setup: "space A",
      looks: "read A 0x1000 2\nread A 0x2000 1")
    let answers = ["0305", "0300", "0000"].map { ["ok", "ok", "ok", $0, "00"] }
    let judge = RaceJudge(pair, DividedPair(pair), answers)
    #expect(!judge.explains(outcome))
    #expect(judge.mayBeStale(outcome) == isExcused)
  }
}
