import Foundation
import Synchronization

/// A counter of something that a torture run must have met often enough to mean anything.
public final class Tally: Sendable {
  /// What is counted.
  public let name: String
  let goal: Int
  private let value = Atomic<Int>(0)

  init(_ name: String, goal: Int) {
    self.name = name
    self.goal = goal
  }

  /// Counts one more. Relaxed: a counter must not order the very accesses that a test races.
  public func count(_ by: Int = 1) {
    value.wrappingAdd(by, ordering: .relaxed)
  }

  /// The count so far.
  public var total: Int { value.load(ordering: .relaxed) }

  var isReached: Bool { total >= goal }
}

/// One run of threads that race against each other until the time is up, the goals are met, or a thread saw a wrong
/// thing.
///
/// Failures are collected, not thrown: every worker stops soon after the first, and the test looks at `failures` at the
/// end.
public final class Torture: Sendable {
  /// What races, for messages and for the seed.
  public let name: String
  private let stopFlag = Atomic<Bool>(false)
  private let collected = Locked<[String]>([])
  private let tallies = Locked<[Tally]>([])
  private let finished = NSCondition()
  private let running = Locked<Int>(0)

  /// A run named `name`.
  public init(_ name: String) {
    self.name = name
  }

  /// A counter that must reach `goal` before the run may end.
  public func tally(_ what: String, goal: Int = 1) -> Tally {
    let tally = Tally(what, goal: goal)
    tallies.withLock { $0.append(tally) }
    return tally
  }

  /// True once the workers should end.
  public var isStopping: Bool { stopFlag.load(ordering: .relaxed) }

  /// Records a wrong thing and stops the run.
  public func fail(_ message: String) {
    collected.withLock { if $0.count < 8 { $0.append(message) } }
    stopFlag.store(true, ordering: .relaxed)
  }

  /// Records `message` unless `condition` holds.
  public func expect(_ condition: Bool, _ message: @autoclosure () -> String) {
    if !condition { fail(message()) }
  }

  /// What was seen and must not be, with the seed that repeats it. Empty after a good run.
  public var failures: [String] {
    let messages = collected.withLock { $0 }
    return messages.isEmpty ? [] : messages + ["\(name): GUP_SEED=\(TestSeed.run)"]
  }

  /// Runs the workers, each on threads of its own, and returns when all of them have ended.
  public func run(seconds: Double = TortureTime.perPair, _ workers: [Worker]) {
    let all = workers.flatMap { worker in (0..<worker.threads).map { (worker, $0) } }
    running.withLock { $0 = all.count }
    for (worker, index) in all {
      start(worker, index: index)
    }
    supervise(until: Date(timeIntervalSinceNow: seconds))
    stopFlag.store(true, ordering: .relaxed)
    finished.lock()
    while running.withLock({ $0 > 0 }) { finished.wait() }
    finished.unlock()
  }

  private func start(_ worker: Worker, index: Int) {
    let turns = tally("turns of \(worker.name) \(index)", goal: worker.goal)
    let seed = TestSeed.named("\(name)/\(worker.name)/\(index)")
    let body = OneShot(worker.body)
    let name = worker.name
    let thread = Thread { [self] in
      var context = WorkerContext(torture: self, index: index, turns: turns, random: SeededGenerator(seed: seed))
      do {
        try body.take()?(&context)
      } catch {
        fail("\(name): unexpected \(error)")
      }
      finished.lock()
      running.withLock { $0 -= 1 }
      finished.broadcast()
      finished.unlock()
    }
    thread.name = name
    thread.stackSize = 1 << 20
    thread.start()
  }

  /// Waits for the end of the time, then for the goals. A goal that stays out of reach for a minute is a failure of its
  /// own.
  private func supervise(until end: Date) {
    var limit = 6000
    while !isStopping {
      if running.withLock({ $0 == 0 }) { return }
      let missing = tallies.withLock { $0.filter { !$0.isReached } }
      if Date() >= end {
        if missing.isEmpty { return }
        limit -= 1
        if limit == 0 {
          fail("never enough: " + missing.map { "\($0.name) (\($0.total))" }.joined(separator: ", "))
        }
      }
      Thread.sleep(forTimeInterval: 0.01)
    }
  }
}

/// Something that is taken out once. So a thread lets go of what its body holds before it says that it has ended. A
/// `Thread` may keep its block longer than that.
final class OneShot<Body: Sendable>: Sendable {
  private let slot: Locked<Body?>

  init(_ body: Body) { slot = Locked(body) }

  func take() -> Body? {
    slot.withLock { body in
      defer { body = nil }
      return body
    }
  }
}

/// One role in a torture run.
public struct Worker: Sendable {
  let name: String
  let threads: Int
  let goal: Int
  let body: @Sendable (inout WorkerContext) throws -> Void

  /// A role played by `threads` threads, each of which must turn at least `goal` times.
  public init(
    _ name: String, threads: Int = 1, goal: Int = 4,
    _ body: @escaping @Sendable (inout WorkerContext) throws -> Void
  ) {
    self.name = name
    self.threads = threads
    self.goal = goal
    self.body = body
  }
}

/// What a worker's thread holds: its index among its kind, its own random numbers, its turn.
public struct WorkerContext {
  /// The run.
  public let torture: Torture
  /// Which of the role's threads this is, from 0.
  public let index: Int
  /// The number of the turn, from 1.
  public private(set) var turn = 0
  /// This thread's own random numbers.
  public var random: SeededGenerator
  private let turns: Tally

  init(torture: Torture, index: Int, turns: Tally, random: SeededGenerator) {
    self.torture = torture
    self.index = index
    self.turns = turns
    self.random = random
  }

  /// Begins the next turn. False when the run is over.
  public mutating func next() -> Bool {
    if turn > 0 { turns.count() }
    turn += 1
    return !torture.isStopping
  }

  /// Lets time pass: mostly nothing, sometimes a short spin, sometimes the end of this time slice.
  public mutating func pauseRandomly() {
    switch random.below(8) {
    case 0:
      sched_yield()
    case 1, 2:
      for _ in 0..<random.below(400) { pause() }
    default:
      break
    }
  }

  @inline(never)
  private func pause() {}
}
