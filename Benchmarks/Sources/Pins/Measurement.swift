import Measuring

/// One cell of the table: a subject at one kind of work and one number of threads, in one round.
struct Measurement {
  let subject: any Subject
  let work: Work
  let threads: Int
  let pages: Int
  let seconds: Double
  let seed: UInt64
  /// Processor time rather than time that passed.
  let usesProcessorTime: Bool

  /// Pages pinned and released between two looks at the flag that ends the measurement.
  private static let chunk = 256

  @inline(__always)
  private static func step(_ subject: some Subject, _ work: Work, _ draw: inout PageDraw) -> (units: Int, failures: Int)
  {
    work.isRange
      ? (Work.rangePages, subject.rangeLoop(&draw, iterations: 1))
      : (chunk, subject.loop(&draw, iterations: chunk))
  }

  /// Nanoseconds that one page costs one thread.
  func nanosecondsPerPage() throws(Failure) -> Double {
    let (subject, work, threads, pages, seed) = (subject, work, threads, pages, seed)
    let outcome = try TimedThreads.run(threads, seconds: seconds, sample: {}) { thread in
      var draw = work.draw(thread: thread, of: threads, pages: pages, seed: seed)
      return { Self.step(subject, work, &draw) }
    }
    if outcome.failures > 0 {
      let reason = subject.errorCode == 0 ? "" : ": \(Failure.reason(subject.errorCode))"
      throw Failure("\(subject.name): \(outcome.failures) pages could not be pinned\(reason)")
    }
    if let problem = subject.check() { throw Failure("\(subject.name): \(problem)") }
    return usesProcessorTime
      ? Double(outcome.processorTime) / Double(outcome.totalUnits)
      : Double(threads) * Double(outcome.nanoseconds) / Double(outcome.units)
  }
}
