import Synchronization

/// Threads that repeat a step side by side for a stretch of time, each bound to a processor.
///
/// What counts are the units that all threads did in one stretch, over that stretch. The sum of the threads' own rates
/// would be too high if there are more threads than processors: a thread that ran for a moment would count as if it had
/// run all along.
public enum TimedThreads {
  /// What a thread repeats. It says how many units it did, and how many of them failed.
  public typealias Step = () -> (units: Int, failures: Int)

  /// What the threads did.
  public struct Outcome<Sample> {
    /// Units that all threads did in the measured time, and the nanoseconds of that time.
    public var units: Int
    public var nanoseconds: UInt64
    /// What `sample` said at the beginning of the measured time, and at its end.
    public var before: Sample
    public var after: Sample
    /// Units and processor time in nanoseconds from the beginning until each thread saw the end.
    public var totalUnits: Int
    public var processorTime: UInt64
    /// Units that failed, those before the measured time among them.
    public var failures: Int
  }

  /// Runs `threads` threads for `warmup` seconds, then measures for `seconds`.
  ///
  /// `makeStep` is called on each thread, with its number, so that a step can keep what is its thread's own. `sample`
  /// is called by the calling thread at both ends of the measured time.
  public static func run<Sample>(
    _ threads: Int, warmup: Double = 0.01, seconds: Double, sample: () -> Sample,
    _ makeStep: @escaping @Sendable (Int) -> Step
  ) throws(Failure) -> Outcome<Sample> {
    let measuring = StopFlag()
    let stop = StopFlag()
    let tally = Tally()
    let done = (0..<threads).map { _ in UnitsDone() }
    let group = try ThreadGroup(threads, bound: true) { thread in
      let step = makeStep(thread)
      let mine = done[thread]
      var failures = 0
      while !measuring.isRaised { failures += step().failures }
      let began = Clock.processorTime()
      repeat {
        let result = step()
        failures += result.failures
        mine.add(result.units)
      } while !stop.isRaised
      tally.add(units: mine.count, processorTime: Clock.processorTime() - began, failures: failures)
    }
    group.open()
    Clock.sleep(nanoseconds: UInt64(warmup * 1e9))
    let before = sample()
    let began = Clock.now()
    measuring.raise()
    Clock.sleep(nanoseconds: UInt64(seconds * 1e9))
    // With many threads behind a slow lock none may have finished a step yet.
    while done.allSatisfy({ $0.count == 0 }) { Clock.sleep(nanoseconds: 1_000_000) }
    let units = done.reduce(0) { $0 + $1.count }
    let elapsed = Clock.now() - began
    let after = sample()
    stop.raise()
    group.join()
    let sums = tally.sums
    return Outcome(
      units: units, nanoseconds: elapsed, before: before, after: after, totalUnits: sums.units,
      processorTime: sums.processorTime, failures: sums.failures)
  }
}

/// Units that one thread has done. Longer than a cache line, so that no two threads write one line.
private final class UnitsDone: Sendable {
  private let units = Atomic(0)
  private let padding: InlineArray<15, Int> = .init(repeating: 0)

  var count: Int { units.load(ordering: .relaxed) }

  /// Called by the counting thread alone, so a load and a store suffice.
  func add(_ more: Int) { units.store(count + more, ordering: .relaxed) }
}

/// The sums over all threads, each from the start of the measured time until the thread saw its end.
private final class Tally: Sendable {
  private let state = Mutex((units: 0, processorTime: 0 as UInt64, failures: 0))

  func add(units: Int, processorTime: UInt64, failures: Int) {
    state.withLock {
      $0.units += units
      $0.processorTime += processorTime
      $0.failures += failures
    }
  }

  var sums: (units: Int, processorTime: UInt64, failures: Int) { state.withLock { $0 } }
}
