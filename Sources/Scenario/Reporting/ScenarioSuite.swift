/// Runs files and reports them, for `gup scenario`.
public struct ScenarioSuite: Sendable {
  /// Everything passed.
  public static let passedStatus: Int32 = 0
  /// An expectation failed, or something leaked.
  public static let failedStatus: Int32 = 1
  /// A file could not be parsed.
  public static let unparsedStatus: Int32 = 2

  /// The format of the lines for standard output.
  public var format: ReportFormat
  /// Whether only failures and the total are printed.
  public var isQuiet: Bool
  /// Runs each file.
  public var runner: ScenarioRunner
  /// Reads each file.
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

  /// Parses and runs each file and returns the worst exit status.
  ///
  /// A file that cannot be parsed is not run and counts as failed. The other files run all the same. If several files
  /// run as text, a comment names each before its lines.
  ///
  /// - Parameter paths: the files. `-` is standard input.
  /// - Parameter print: called with each line for standard output as soon as it is known.
  /// - Parameter complain: called with each line for standard error.
  public func run(_ paths: [String], print: (String) -> Void, complain: (String) -> Void) -> Int32 {
    var status = Self.passedStatus
    var passed = 0
    for path in paths {
      do throws(ParseFailure) {
        let file = try parser.parse(argument: path)
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
