import UserPages

/// Runs scenarios, each on a machine of its own.
public struct ScenarioRunner: Sendable {
  /// The pin engine of every space.
  public var engine: PinEngine

  public init(engine: PinEngine = .reference) { self.engine = engine }

  /// Runs `file` from its first line to its last and calls `eachLine` after each statement, or after the block in which
  /// it stands.
  public func run(_ file: ScenarioFile, eachLine: (LineReport) -> Void = { _ in }) -> FileReport {
    var report = FileReport(path: file.path)
    let machine: ScenarioMachine
    do {
      machine = try ScenarioMachine(
        memoryPages: file.memoryPages, movablePages: file.movablePages, swapPages: file.swapPages,
        swapsForAllocations: file.swapsForAllocations, engine: engine)
    } catch {
      report.refusal = error
      return report
    }
    do {
      let run = try BlockRun(machine, file.lines)
      for block in file.blocks {
        for done in run.reports(of: block) {
          report.lines.append(done)
          eachLine(done)
        }
      }
    } catch {
      report.refusal = error
    }
    report.leak = machine.finish()
    return report
  }
}

/// One statement that ran.
public struct LineReport: Equatable, Sendable {
  /// The statement and its expectation.
  public var line: ScenarioLine
  /// The result that really occurred.
  public var outcome: Outcome
  /// How often it occurred, in a `repeat`. Each other result of the statement has a report of its own.
  public var times: Int?

  public init(line: ScenarioLine, outcome: Outcome, times: Int? = nil) {
    self.line = line
    self.outcome = outcome
    self.times = times
  }

  /// Whether the result is the expected one. True if the file expects none.
  public var passed: Bool { line.expectation?.matches(outcome) ?? true }
}

/// One file that ran.
public struct FileReport: Equatable, Sendable {
  /// The path of the file.
  public var path: String
  /// The statements in order, without those that begin or end a block.
  public var lines: [LineReport]
  /// What the machine still held at the end.
  public var leak: Leak?
  /// The error of the machine's initializer, or of the second thread's. If there is one, no statement ran.
  public var refusal: PageError?

  public init(path: String, lines: [LineReport] = [], leak: Leak? = nil, refusal: PageError? = nil) {
    self.path = path
    self.lines = lines
    self.leak = leak
    self.refusal = refusal
  }

  /// Whether every expectation held and nothing leaked.
  public var passed: Bool { leak == nil && refusal == nil && lines.allSatisfy(\.passed) }
}
