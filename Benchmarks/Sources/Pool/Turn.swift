import CBenchmark
import Glibc
import Measuring

/// What every turn has in common.
struct PoolSettings: Sendable {
  var pages: Int
  var limit: Int
  var threads: [Int]
  var seconds: Double
  var storeShare: Double
  var seed: UInt64
  /// Processor time of a hit rather than time that passed.
  var usesProcessorTime: Bool

  /// Pages that hits are drawn from. Half of the limit: read-ahead and other subjects' slack do not reach them.
  var hitPages: Int { limit / 2 }
}

/// What one subject did at one kind of work with one number of threads in one round.
struct Cell {
  /// Nanoseconds that an access costs one thread.
  var nanoseconds: Double
  /// Accesses that read no page, from 0 to 1.
  var hitShare: Double
  /// Pages read a second, all threads together.
  var missesPerSecond: Double
  /// Accesses a second, all threads together.
  var accessesPerSecond: Double
  /// Copies for each page read.
  var copies: Double
  /// What the process grew by since the subject was made and empty, over the limit.
  var residentShare: Double
  /// Processor time of the whole process for an access, in microseconds.
  var processorMicroseconds: Double
}

/// A subject's turn in a round: it is made, filled, measured at every kind of work, and ended, so that the memory of
/// one is not counted as another's.
struct Turn {
  let settings: PoolSettings
  let round: Int

  private struct Sample {
    var misses: Int
    var copies: Int
    var processorTime: UInt64
    var residentBytes: Int
  }

  /// Calls `result` for each cell.
  func run(
    _ subject: some PoolSubject, progress: (String) -> Void, result: (PoolWork, Int, Cell) -> Void
  ) throws(Failure) {
    let draws = makeDraws(subject)
    give_back_free_memory()
    let empty = Self.residentBytes()
    progress("filling")
    fill(subject)
    for work in PoolWork.allCases where subject.can(work) {
      for (index, threads) in settings.threads.enumerated() {
        progress("\(work.rawValue), \(threads) threads")
        result(work, threads, try measure(subject, work, draws[work]![index], empty: empty))
      }
    }
    if let problem = subject.check() { throw Failure("\(subject.name): \(problem)") }
  }

  /// By kind of work, number of threads and thread. Made before memory is looked at.
  private func makeDraws(_ subject: some PoolSubject) -> [PoolWork: [[Draws]]] {
    var draws: [PoolWork: [[Draws]]] = [:]
    for work in PoolWork.allCases where subject.can(work) {
      draws[work] = settings.threads.enumerated().map { index, threads in
        (0..<threads).map { thread in
          Draws(
            work, pages: settings.pages, residentPages: settings.hitPages, storeShare: settings.storeShare,
            seed: settings.seed &+ UInt64(round) << 40 &+ UInt64(index) << 32 &+ UInt64(thread) << 16)
        }
      }
    }
    return draws
  }

  /// Brings the first pages in, in order, and nearly as many as there may be.
  private func fill(_ subject: some PoolSubject) {
    guard subject.can(.hits) else { return }
    let count = subject.can(.random) ? settings.limit / 16 * 15 : settings.hitPages
    let all = (0..<count).map { Draw(page: $0, isStore: false).rawValue }
    _ = all.withUnsafeBufferPointer { subject.access($0) }
  }

  private func measure(
    _ subject: some PoolSubject, _ work: PoolWork, _ draws: [Draws], empty: Int
  ) throws(Failure) -> Cell {
    func sample() -> Sample {
      Sample(
        misses: subject.misses, copies: subject.copies, processorTime: process_time(),
        residentBytes: Self.residentBytes())
    }
    let warmup = work.misses ? settings.seconds : 0.01
    let outcome = try TimedThreads.run(draws.count, warmup: warmup, seconds: settings.seconds, sample: sample) {
      [draws] thread in
      let mine = draws[thread]
      return { (work.chunk, subject.access(mine.take(work.chunk))) }
    }
    if outcome.failures > 0 { throw Failure("\(subject.name): \(outcome.failures) accesses failed") }
    let (before, after) = (outcome.before, outcome.after)
    let accesses = Double(outcome.units)
    let misses = Double(after.misses - before.misses)
    let seconds = Double(outcome.nanoseconds) / 1e9
    let nanoseconds =
      settings.usesProcessorTime && !work.misses
      ? Double(outcome.processorTime) / Double(outcome.totalUnits)
      : Double(draws.count) * Double(outcome.nanoseconds) / accesses
    return Cell(
      nanoseconds: nanoseconds,
      hitShare: max(0, 1 - misses / accesses), missesPerSecond: misses / seconds, accessesPerSecond: accesses / seconds,
      copies: misses > 0 ? Double(after.copies - before.copies) / misses : 0,
      residentShare: Double(after.residentBytes - empty) / Double(settings.limit * 4096),
      processorMicroseconds: Double(after.processorTime - before.processorTime) / 1000 / accesses)
  }

  /// What this process has in memory (`VmRSS`).
  static func residentBytes() -> Int {
    guard let file = fopen("/proc/self/statm", "r") else { return 0 }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 256)
    guard fgets(&line, Int32(line.count), file) != nil else { return 0 }
    let words = String(decoding: line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self).split(
      separator: " ")
    return words.count > 1 ? (Int(words[1]) ?? 0) * 4096 : 0
  }
}
