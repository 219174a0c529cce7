import Foundation
import Scenario
import SeededRandom
import Synchronization
import UserPages

/// Runs pairs of halves in the library, on one machine with one engine.
final class LibraryRacer {
  let engine: PinEngine
  private let machine: ScenarioMachine
  private let partner: Partner

  init(engine: PinEngine) throws(PageError) {
    self.engine = engine
    machine = try ScenarioMachine(memoryPages: Comparability.enoughMemory, engine: engine)
    partner = try Partner()
  }

  /// Runs the pair's steps one after the other in an order, as `KernelOracle.answers(to:in:)` does.
  func answers(to pair: DividedPair, in order: [Int]) -> [String] {
    let before = pair.setup.map { (statement: $0, answer: answer($0)) }.filter { $0.statement.isAnswered }.map(\.answer)
    let steps = pair.steps
    var answers: [[String]] = [[], []]
    for half in order {
      let step = steps[half][answers[half].count]
      let isSkipped = step.continues && answers[half].last.map(steps[half][answers[half].count - 1].hasFailed) ?? false
      answers[half].append(isSkipped ? RaceStep.skipped : answer(step.statement))
    }
    let looks = pair.looks.map(answer)
    machine.clear()
    return before + answers[0] + answers[1] + looks
  }

  /// Runs the halves at once, many times, and counts each different outcome.
  ///
  /// - Parameter goal: how many different outcomes are enough.
  func outcomes(of pair: RacePair, rounds: RaceRounds, goal: Int, seed: UInt64) -> [[String]: Int] {
    var outcomes: [[String]: Int] = [:]
    race(pair, seed: seed) {
      rounds.areEnough($0, showing: outcomes.count, goal: goal)
    } found: { _, outcome in
      outcomes[outcome, default: 0] += 1
    }
    return outcomes
  }

  /// Runs the halves at once until `isEnough`, which gets the number of rounds that ran, and hands over each outcome
  /// with the number of its round.
  ///
  /// Every other time the threads hesitate at yield points now and then, in builds that have them.
  func race(_ pair: RacePair, seed: UInt64, until isEnough: (Int) -> Bool, found: (Int, [String]) -> Void) {
    var random = SplitMix64(seed: seed)
    var round = 0
    while !isEnough(round) {
      defer { round += 1 }
      for statement in pair.setup { _ = machine.execute(statement) }
      let hesitates = round % 2 == 1
      let dice = Dice(random.next())
      let handler = hesitates ? YieldPoint.install { _, _ in dice.hesitate() } : nil
      // Mostly one half is a little later than the other.
      let late = random.below(2)
      let delay = random.below(1 << random.below(12))
      let (first, second) = machine.execute(pair.halves[0], besides: pair.halves[1], with: partner) { half in
        if half == late { dice.spin(delay) }
      }
      if let handler { YieldPoint.remove(handler) }
      let looks = pair.looks.map { machine.execute($0) }
      machine.clear()
      found(round, (first + second + looks).map(\.description))
    }
  }

  /// What the machine still holds after everything was given back.
  func leak() -> Leak? { machine.finish() }

  private func answer(_ statement: Statement) -> String { machine.execute(statement).description }
}

/// Random pauses of both threads of a race.
private final class Dice: Sendable {
  private let state: Atomic<UInt64>

  init(_ seed: UInt64) { state = Atomic(seed) }

  func hesitate() {
    // Relaxed: the dice must order nothing.
    var roll = SplitMix64(seed: state.wrappingAdd(1, ordering: .relaxed).newValue)
    switch roll.below(16) {
    case 0...1: sched_yield()
    case 2: usleep(UInt32(roll.below(60)))
    case 3...5: spin(roll.below(1 << roll.below(12)))
    default: break
    }
  }

  func spin(_ turns: Int) {
    for _ in 0..<turns { _ = state.load(ordering: .relaxed) }
  }
}

extension Statement {
  /// Whether the kernel's side answers the statement before the halves.
  var isAnswered: Bool {
    switch self {
    case .machine, .space(.space): false
    default: true
    }
  }
}
