import Scenario
import Testing

/// `par` and `repeat`: the places where they may stand, the names in them, and what they report.
@Suite struct BlockTests {
  /// A space with a page, and a file.
  private static let before = "file f 1\nspace A\nmap A 0x1000 1 rw private anon\npin q A 0x1000 1\n"

  @Test(arguments: [
    "par\nand\nend", "repeat 1\nend", "par\nfree\nand\nfree\nend",
    "repeat 3\nfree\npar\nfree\nand\nend\nfree\nend\nfree",
    "repeat 2\nfork A B\npin p B 0x1000 1\nexit B\nrelease p\nend",
    "par\nfork A B\nread B 0x1000 1\nexit B\nand\npin p A 0x1000 1\npeek p 0 1\nend\nrelease p",
    "repeat 2\npar\nspace B\nand\npin p A 0x1000 1\nend\nexit B\nrelease p\nend",
    "repeat 2\nrelease q\npin q A 0x1000 1\nend", "par\npeek q 0 1\nand\npeek q 0 1\nend",
    "mirror m A 0x1000 1\npar\nmread m 0 1\nand\nmvalid m 0\nend",
  ])
  func areRead(text: String) throws {
    let file = try parse(Self.before + text)
    #expect(try parse(file.text).text == file.text)
    let report = ScenarioRunner().run(file)
    #expect(report.passed)
    #expect(report.lines.allSatisfy { if case .block = $0.line.statement { false } else { true } })
  }

  static let misplaced: [(String, String)] = [
    ("and", "5: 'and' stands outside a par"),
    ("end", "5: 'end' ends nothing"),
    ("par\nend", "6: the par of line 5 has no 'and'"),
    ("par\nand\nand\nend", "7: the par of line 5 has two halves already"),
    ("par\npar", "6: a par cannot stand in the par of line 5"),
    ("par\nrepeat 2", "6: a repeat cannot stand in the par of line 5"),
    ("repeat 2\nrepeat 2", "6: a repeat cannot stand in the repeat of line 5"),
    ("repeat 2\nand", "6: 'and' stands outside a par"),
    ("par\nand", "5: the par has no 'end'"),
    ("repeat 2\npar\nand\nend", "5: the repeat has no 'end'"),
    ("par => ok", "5: 'par' has no result to expect"),
    ("repeat", "5: N is missing"),
    ("repeat 0", "5: N: 0 is less than 1"),
    ("repeat 1048577", "5: N: 1048577 is more than 1048576"),
    ("par twice", "5: 'twice' is one word too many"),
  ]

  @Test(arguments: misplaced) func areRefused(text: String, message: String) {
    #expect(errors(Self.before + text) == [message])
  }

  static let wrongNames: [(String, String)] = [
    ("par\npin p A 0 1\nand\npeek p 0 1\nend", "8: pin 'p' is made or given back in the other half, on line 6"),
    ("par\npeek q 0 1\nand\nrelease q\nend", "8: pin 'q' is named in the other half, on line 6"),
    ("par\nfork A B\nand\nread B 0 1\nend", "8: space 'B' is made or given back in the other half, on line 6"),
    ("par\nread A 0 1\nand\nexit A\nend", "8: space 'A' is named in the other half, on line 6"),
    ("par\nexit A\nand\npin p A 0 1\nend", "8: space 'A' is made or given back in the other half, on line 6"),
    (
      "par\nmirror m A 0 1\nand\nmread m 0 1\nend", "8: mirror 'm' is made or given back in the other half, on line 6"
    ),
    ("repeat 2\nspace B\nend", "7: space 'B' is made in the repeat of line 5 and not given back there"),
    ("repeat 2\npin p A 0 1\nend", "7: pin 'p' is made in the repeat of line 5 and not given back there"),
    ("repeat 2\nmirror m A 0 1\nend", "7: mirror 'm' is made in the repeat of line 5 and not given back there"),
    ("repeat 2\nrelease q\nend", "7: pin 'q' is given back in the repeat of line 5 and not made there"),
    ("repeat 2\nexit A\nend", "7: space 'A' is given back in the repeat of line 5 and not made there"),
  ]

  @Test(arguments: wrongNames) func namesAreChecked(text: String, message: String) {
    #expect(errors(Self.before + text) == [message])
  }

  @Test func theMachineIsMadeOutside() {
    #expect(errors("repeat 2\nfile f 1\nend") == ["2: the machine is made outside 'par' and 'repeat'"])
    #expect(errors("par\nand\nmemory 4\nend") == ["3: the machine is made outside 'par' and 'repeat'"])
  }

  /// What a half makes is there after the par, and what it gives back is gone, whatever the other half did.
  @Test func whatHalvesChangeStays() throws {
    let text = """
      par
      release q
      fork A B
      and
      space C
      pin p A 0x1000 1
      end
      read B 0x1000 1
      read C 0x1000 1
      peek p 0 1
      """
    #expect(
      try results(Self.before + text).dropFirst(4) == [
        "release q => ok", "fork A B => ok", "space C => ok", "pin p A 0x1000 1 => 1", "read B 0x1000 1 => 00",
        "read C 0x1000 1 => SIGSEGV", "peek p 0 1 => 00",
      ])
    let gone = try parse(Self.before + "par\nrelease q\nand\nfree\nend\npin q A 0x1000 1 => 1")
    #expect(ScenarioRunner().run(gone).passed)
  }

  /// Each different result has one line with its count, and an expectation must hold each time.
  @Test func resultsAreCounted() throws {
    let text = "repeat 3\nread A 0x1000 1 => 00\nunmap A 0x1000 1\nend\nread A 0x1000 1 => SIGSEGV"
    let report = ScenarioRunner().run(try parse(Self.before + text))
    let lines = report.lines.dropFirst(4).map { "\($0.line.number): \($0.outcome) \($0.times ?? 0) \($0.passed)" }
    #expect(lines == ["6: 00 1 true", "6: SIGSEGV 2 false", "7: ok 3 true", "9: SIGSEGV 0 true"])
    #expect(!report.passed)
  }

  /// Two halves really overlap: each sees the other's store before its own last one.
  @Test func halvesRunAtOnce() throws {
    // Each half stores and loads many times. If one ran after the other, the second would see the first one's last byte
    // only.
    var seen: Set<String> = []
    // A loaded computer may run one half whole before it gives the other a processor. So they grow: at last each runs
    // longer than a processor is given to one thread.
    for turns in [1, 1, 1, 1, 10, 10, 40, 40, 40, 40] where seen.count < 3 {
      let values = Array(repeating: Array(16..<216), count: turns).joined()
      let stores = values.map { "writefile f 0 \(String($0, radix: 16))" }.joined(separator: "\n")
      let loads = Array(repeating: "readfile f 0 1", count: values.count).joined(separator: "\n")
      let report = ScenarioRunner().run(try parse("\(Self.before)par\n\(stores)\nand\n\(loads)\nend"))
      seen = Set(report.lines.suffix(values.count).map(\.outcome.description))
    }
    #expect(seen.count >= 3)
  }

  @Test(arguments: [ReportFormat.text, .json]) func timesArePrinted(format: ReportFormat) {
    let text = "repeat 2\nfree => 4096\nend\n"
    let suite = ScenarioSuite(format: format, parser: ScenarioParser(source: source(["a.gup": Array(text.utf8)])))
    var output: [String] = []
    #expect(suite.run(["a.gup"], print: { output.append($0) }, complain: { _ in }) == 0)
    switch format {
    case .text: #expect(output == ["2: free => 4096 (2 times)"])
    case .json:
      #expect(
        output == [
          #"{"file":"a.gup","line":2,"statement":"free","result":"4096","times":2,"expected":"4096","passed":true}"#
        ])
    }
  }
}
