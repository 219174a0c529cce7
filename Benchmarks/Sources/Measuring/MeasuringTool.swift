import ArgumentParser

/// A command that measures: what ends it early is said on standard error, and the exit status is 1.
public protocol MeasuringTool: ParsableCommand {
  func measure() throws(Failure)
}

extension MeasuringTool {
  public func run() throws {
    do throws(Failure) {
      try measure()
    } catch {
      Progress().clear()
      Standard.error("\(Self._commandName): \(error)")
      throw ExitCode(1)
    }
  }
}
