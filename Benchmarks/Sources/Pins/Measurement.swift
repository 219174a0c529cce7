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

  /// Pages pinned and released between two looks at the flag that ends the measurement.
  private static let chunk = 256

  @inline(__always)
  private static func step(_ subject: some Subject, _ work: Work, _ draw: inout PageDraw) -> (pages: Int, failures: Int)
  {
    work.isRange
      ? (Work.rangePages, subject.rangeLoop(&draw, iterations: 1))
      : (chunk, subject.loop(&draw, iterations: chunk))
  }

  /// Nanoseconds that one page costs one thread.
  ///
  /// The pages that all threads did in one stretch of time, over that time. The sum of the threads' own rates would be too high if
  /// there are more threads than processors: a thread that ran for a moment would count as if it had run all along.
  func nanosecondsPerPage() throws(Failure) -> Double {
    let measuring = StopFlag()
    let stop = StopFlag()
    let (subject, work, threads, pages, seed) = (subject, work, threads, pages, seed)
    let tally = Tally()
    let done = (0..<threads).map { _ in PagesDone() }
    let group = try ThreadGroup(threads, bound: true) { thread in
      var draw = work.draw(thread: thread, of: threads, pages: pages, seed: seed)
      let mine = done[thread]
      var failures = 0
      while !measuring.isRaised { failures += Self.step(subject, work, &draw).failures }
      let began = Clock.processorTime()
      repeat {
        let step = Self.step(subject, work, &draw)
        failures += step.failures
        mine.add(step.pages)
      } while !stop.isRaised
      tally.add(pages: mine.count, processorTime: Clock.processorTime() - began, failures: failures)
    }
    group.open()
    Clock.sleep(nanoseconds: 10_000_000)
    let began = Clock.now()
    measuring.raise()
    Clock.sleep(nanoseconds: UInt64(seconds * 1e9))
    // With many threads behind a slow lock none may have finished a step yet.
    while done.allSatisfy({ $0.count == 0 }) { Clock.sleep(nanoseconds: 1_000_000) }
    let inTime = done.reduce(0) { $0 + $1.count }
    let elapsed = Clock.now() - began
    stop.raise()
    group.join()
    let sums = tally.sums
    if sums.failures > 0 {
      let reason = subject.errorCode == 0 ? "" : ": \(Failure.reason(subject.errorCode))"
      throw Failure("\(subject.name): \(sums.failures) pages could not be pinned\(reason)")
    }
    if let problem = subject.check() { throw Failure("\(subject.name): \(problem)") }
    return usesProcessorTime
      ? Double(sums.processorTime) / Double(sums.pages) : Double(threads) * Double(elapsed) / Double(inTime)
  }
}

/// Pages that one thread has done. Longer than a cache line, so that no two threads write one line.
private final class PagesDone: Sendable {
  private let pages = Atomic(0)
  private let padding: InlineArray<15, Int> = .init(repeating: 0)

  var count: Int { pages.load(ordering: .relaxed) }

  /// Called by the counting thread alone, so a load and a store suffice.
  func add(_ more: Int) { pages.store(count + more, ordering: .relaxed) }
}

/// The sums over all threads, each from the start of the measurement until the thread saw its end.
private final class Tally: Sendable {
  private let state = Mutex((pages: 0, processorTime: 0 as UInt64, failures: 0))

  func add(pages: Int, processorTime: UInt64, failures: Int) {
    state.withLock {
      $0.pages += pages
      $0.processorTime += processorTime
      $0.failures += failures
    }
  }

  var sums: (pages: Int, processorTime: UInt64, failures: Int) { state.withLock { $0 } }
}
