import Fuzz
import Scenario
import Testing

@Suite struct ShrinkerTests {
  /// A comparison that finds a difference at the last read of a page that was written, whatever else there is.
  private func compare(_ file: ScenarioFile) -> Comparison {
    var written = false
    for (index, line) in file.lines.enumerated() {
      switch line.statement {
      case .access(.write(_, 0x1000_0000, _)): written = true
      case .access(.read(_, 0x1000_0000, _)) where written:
        var answers = file.lines.map { _ in "ok" }
        let library = answers
        answers[index] = "00"
        return .different(Difference(file: file, place: index, library: library, kernel: answers))
      default: break
      }
    }
    return .same
  }

  private func shrunk(_ text: String) throws -> String {
    let file = try ScenarioParser().parse(text: text, path: "")
    guard case .different(let difference) = compare(file) else { return "no difference" }
    return try Shrinker(compare: compare).shrink(difference).file.text
  }

  @Test func leavesWhatIsNeeded() throws {
    let text = """
      memory 512
      file f 2
      space A
      map A 0x10000000 4 rw private anon
      pin p A 0x10000000 2
      peek p 0 4
      release p
      write A 0x10000000 11*8192
      fork A B
      write B 0x10001000 22
      read A 0x10000000 100
      read A 0x10001000 1
      """
    #expect(try shrunk(text) == "space A\nwrite A 0x10000000 11\nread A 0x10000000 1\n")
  }

  @Test func forksBecomeSpaces() throws {
    let text = """
      space A
      fork A B
      fork B C
      write C 0x10000000 11
      read C 0x10000000 1
      """
    #expect(try shrunk(text) == "space C\nwrite C 0x10000000 11\nread C 0x10000000 1\n")
  }

  @Test func saysWhatIsExpected() throws {
    let file = try ScenarioParser().parse(text: "space A\nread A 0x1000 1\nframe A 0x1000\n", path: "")
    let difference = Difference(file: file, place: 1, library: ["ok", "00", "x"], kernel: ["ok", "SIGSEGV", "other"])
    #expect(difference.expectation == "space A => ok\nread A 0x1000 1 => SIGSEGV\n")
    #expect(difference.description == "space A => ok\nread A 0x1000 1 => SIGSEGV\n# the library: 00\n")
  }
}
