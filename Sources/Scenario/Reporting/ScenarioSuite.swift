/// Runs files and reports them: what `gup scenario` does.
public struct ScenarioSuite: Sendable {
  /// Everything passed.
  public static let passedStatus: Int32 = 0
  /// An expectation failed, or something leaked.
  public static let failedStatus: Int32 = 1
  /// A file could not be parsed.
  public static let unparsedStatus: Int32 = 2

  public var format: ReportFormat
  /// Whether only failures and the total are told.
  public var isQuiet: Bool
  public var runner: ScenarioRunner
  public var parser: ScenarioParser

  public init(
    format: ReportFormat = .text, isQuiet: Bool = false, runner: ScenarioRunner = ScenarioRunner(),
    parser: ScenarioParser = ScenarioParser()
  ) {
    self.format = format
    self.isQuiet = isQuiet
    self.runner = runner
    self.parser = parser
  }

  /// Parses and runs each file and returns the exit status, the worst of all files. A file that cannot be parsed is not
  /// run and counts as failed; the others are run all the same.
  ///
  /// `print` is given each line for standard output as soon as it is known, `complain` each line for standard error.
  /// Where several files run as text, a comment names each before its lines.
  public func run(_ paths: [String], print: (String) -> Void, complain: (String) -> Void) -> Int32 {
    var status = Self.passedStatus
    var passed = 0
    for path in paths {
      do throws(ParseFailure) {
        let file = try parser.parse(path: path)
        if run(file, isAlone: paths.count == 1, print: print, complain: complain) {
          passed += 1
        } else {
          status = max(status, Self.failedStatus)
        }
      } catch {
        for problem in error.errors { complain(problem.description) }
        status = Self.unparsedStatus
      }
    }
    if isQuiet { print(total(passed: passed, failed: paths.count - passed)) }
    return status
  }

  private func run(
    _ file: ScenarioFile, isAlone: Bool, print: (String) -> Void, complain: (String) -> Void
  ) -> Bool {
    var headerIsDue = !isAlone && format == .text
    func printUnderHeader(_ line: String) {
      if headerIsDue { print(TextReport().header(file.path)) }
      headerIsDue = false
      print(line)
    }
    let report = runner.run(file) { line in
      guard !isQuiet || !line.passed else { return }
      for text in lines(line, path: file.path) { printUnderHeader(text) }
    }
    if let leak = report.leak { printUnderHeader(text(leak, path: file.path)) }
    if let refusal = report.refusal {
      complain("\(file.path): error: no machine with \(file.memoryPages) pages of memory: \(refusal.name)")
    }
    return report.passed
  }

  private func lines(_ report: LineReport, path: String) -> [String] {
    switch format {
    case .text: TextReport().lines(report)
    case .json: [JSONReport().line(report, path: path)]
    }
  }

  private func text(_ leak: Leak, path: String) -> String {
    switch format {
    case .text: TextReport().leak(leak)
    case .json: JSONReport().leak(leak, path: path)
    }
  }

  private func total(passed: Int, failed: Int) -> String {
    switch format {
    case .text: TextReport().total(passed: passed, failed: failed)
    case .json: JSONReport().total(passed: passed, failed: failed)
    }
  }
}
