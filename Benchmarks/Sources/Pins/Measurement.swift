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

  /// Pages taken and released between two looks at the clock's verdict.
  private static let chunk = 256

  /// Nanoseconds that one page costs one thread.
  func nanosecondsPerPage() throws(PinsError) -> Double {
    let measuring = StopFlag()
    let stop = StopFlag()
    let (subject, work, threads, pages, seed) = (subject, work, threads, pages, seed)
    let tally = Tally()
    let group = ThreadGroup(threads, bound: true) { thread in
      var draw = work.draw(thread: thread, of: threads, pages: pages, seed: seed)
      var failures = 0
      while !measuring.isRaised { failures += subject.loop(&draw, iterations: Self.chunk) }
      var done = 0
      let began = Clock.now()
      while !stop.isRaised {
        failures += subject.loop(&draw, iterations: Self.chunk)
        done += Self.chunk
      }
      let rate = Double(done) / Double(Clock.now() - began)
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
