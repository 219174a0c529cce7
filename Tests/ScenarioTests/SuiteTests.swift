import Scenario
import Testing

/// The lines of a run of files, their streams, and the exit status.
@Suite struct SuiteTests {
  /// The outcome of a run.
  struct Run: Equatable {
    var status: Int32
    var output: [String]
    var complaints: [String] = []
  }

  static let good = "memory 8\nspace A\nmap A 0x1000 1 rw private anon # fine\nfree => 8\n"
  static let bad = "memory 8\nspace A\nfree => 9\nentry A 0x1000 => none\n"
  static let broken = "space A\nread B 0 1\n"

  func run(_ files: [String: String], format: ReportFormat = .text, isQuiet: Bool = false) -> Run {
    let suite = ScenarioSuite(
      format: format, isQuiet: isQuiet, parser: ScenarioParser(source: source(files.mapValues { Array($0.utf8) })))
    var output: [String] = []
    var complaints: [String] = []
    let status = suite.run(files.keys.sorted(), print: { output.append($0) }, complain: { complaints.append($0) })
    return Run(status: status, output: output, complaints: complaints)
  }

  @Test func oneLineForEachStatement() {
    #expect(
      run(["a.gup": Self.good])
        == Run(
          status: 0,
          output: [
            "1: memory 8 => ok", "2: space A => ok", "3: map A 0x1000 1 rw private anon => ok", "4: free => 8",
          ]))
  }

  @Test func aFailedExpectationIsToldAndTheRunGoesOn() {
    #expect(
      run(["a.gup": Self.bad])
        == Run(
          status: 1,
          output: [
            "1: memory 8 => ok", "2: space A => ok", "3: free => 8", "3: expected 9", "4: entry A 0x1000 => none",
          ]))
  }

  @Test func aFileThatCannotBeParsedIsNotRun() {
    #expect(
      run(["a.gup": Self.broken])
        == Run(status: 2, output: [], complaints: ["a.gup:2: error: no space is called 'B'"]))
  }

  @Test func quietTellsFailuresAndTheTotal() {
    #expect(run(["a.gup": Self.good], isQuiet: true) == Run(status: 0, output: ["1 passed, 0 failed"]))
    #expect(
      run(["a.gup": Self.good, "b.gup": Self.bad, "c.gup": Self.good], isQuiet: true)
        == Run(status: 1, output: ["# b.gup", "3: free => 8", "3: expected 9", "2 passed, 1 failed"]))
  }

  @Test func theWorstFileMakesTheStatusAndTheOthersRun() {
    let files = ["a.gup": Self.bad, "b.gup": Self.broken, "c.gup": Self.good]
    #expect(
      run(files, isQuiet: true)
        == Run(
          status: 2, output: ["# a.gup", "3: free => 8", "3: expected 9", "1 passed, 2 failed"],
          complaints: ["b.gup:2: error: no space is called 'B'"]))
  }

  @Test func severalFilesAreToldApart() {
    #expect(
      run(["a.gup": "free", "b.gup": "memory 1\nfree"])
        == Run(status: 0, output: ["# a.gup", "1: free => 4096", "# b.gup", "1: memory 1 => ok", "2: free => 1"]))
  }

  @Test func jsonLines() {
    #expect(
      run(["a.gup": "memory 8\nfree => 9"], format: .json)
        == Run(
          status: 1,
          output: [
            #"{"file":"a.gup","line":1,"statement":"memory 8","result":"ok","passed":true}"#,
            #"{"file":"a.gup","line":2,"statement":"free","result":"8","expected":"9","passed":false}"#,
          ]))
  }

  @Test func quietJSON() {
    #expect(
      run(["a.gup": Self.bad, "b.gup": Self.good], format: .json, isQuiet: true)
        == Run(
          status: 1,
          output: [
            #"{"file":"a.gup","line":3,"statement":"free","result":"8","expected":"9","passed":false}"#,
            #"{"passed":1,"failed":1}"#,
          ]))
  }

  @Test func jsonEscapes() {
    let name = "a\"\\\u{1}é.gup"
    #expect(
      run([name: "free"], format: .json).output
        == [#"{"file":"a\"\\\u0001é.gup","line":1,"statement":"free","result":"4096","passed":true}"#])
  }

  @Test func theRealFilesRun() {
    var output: [String] = []
    let path = ScenarioFolder.path(of: "anonymous-first-touch.gup")
    let status = ScenarioSuite(isQuiet: true).run([path], print: { output.append($0) }, complain: { _ in })
    #expect(status == 0)
    #expect(output == ["1 passed, 0 failed"])
  }
}
