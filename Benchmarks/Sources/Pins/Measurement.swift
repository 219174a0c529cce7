import Measuring
import Synchronization

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

  /// Pages taken and released between two looks at the flag that ends the measurement.
  private static let chunk = 256

  @inline(__always)
  private static func step(_ subject: some Subject, _ work: Work, _ draw: inout PageDraw) -> (pages: Int, failures: Int)
  {
    work.isRange
      ? (Work.rangePages, subject.rangeLoop(&draw, iterations: 1))
      : (chunk, subject.loop(&draw, iterations: chunk))
  }

  /// Nanoseconds that one page costs one thread.
  func nanosecondsPerPage() throws(PinsError) -> Double {
    let measuring = StopFlag()
    let stop = StopFlag()
    let (subject, work, threads, pages, seed) = (subject, work, threads, pages, seed)
    let now = usesProcessorTime ? Clock.processorTime : Clock.now
    let tally = Tally()
    let group = ThreadGroup(threads, bound: true) { thread in
      var draw = work.draw(thread: thread, of: threads, pages: pages, seed: seed)
      var failures = 0
      while !measuring.isRaised { failures += Self.step(subject, work, &draw).failures }
      var done = 0
      let began = now()
      // Once at least: among many threads one may not have had its turn when the time is up, and has no rate then.
      repeat {
        let step = Self.step(subject, work, &draw)
        failures += step.failures
        done += step.pages
      } while !stop.isRaised
      let rate = Double(done) / Double(now() - began)
      tally.add(rate: rate, failures: failures)
    }
    group.open()
    Clock.sleep(nanoseconds: 10_000_000)
    measuring.raise()
    Clock.sleep(nanoseconds: UInt64(seconds * 1e9))
    stop.raise()
    group.join()
    let (rate, failures) = tally.total
    if failures > 0 { throw PinsError("\(subject.name): \(failures) pages could not be taken") }
    if let problem = subject.check() { throw PinsError("\(subject.name): \(problem)") }
    return Double(threads) / rate
  }
}

/// What the threads of a measurement have done: pages a nanosecond, all together.
private final class Tally: Sendable {
  private let sums = Mutex((rate: 0.0, failures: 0))

  func add(rate: Double, failures: Int) {
    sums.withLock {
      $0.rate += rate
      $0.failures += failures
    }
  }

  var total: (rate: Double, failures: Int) { sums.withLock { $0 } }
}

/// Anything that ends the program, in words.
struct PinsError: Error, CustomStringConvertible {
  var description: String

  init(_ description: String) {
    self.description = description
  }
}
