import Synchronization
import UserPages

extension ScenarioMachine {
  /// Runs two lists of statements at once: `first` on the calling thread, `second` on that of `partner`.
  ///
  /// - Precondition: no statement names what the other list makes or gives back.
  /// - Parameter begin: called on each thread, with the number of the half, between the common start and the first
  ///   statement.
  /// - Returns: the results of both lists.
  package func execute(
    _ first: [Statement], besides second: [Statement], with partner: Partner,
    begin: @escaping @Sendable (Int) -> Void = { _ in }
  ) -> (first: [Outcome], second: [Outcome]) {
    // Each half has a machine of its own, so that no lock of the tables orders what the halves do.
    let halves = [first, second].map { Half(ScenarioMachine(sharing: self), $0) }
    let (one, other) = (halves[0], halves[1])
    partner.run {
      begin(0)
      one.run()
    } besides: {
      begin(1)
      other.run()
    }
    spaces = Self.joined(spaces, one.machine.spaces, other.machine.spaces)
    pins = Self.joined(pins, one.machine.pins, other.machine.pins)
    mirrors = Self.joined(mirrors, one.machine.mirrors, other.machine.mirrors)
    return (one.outcomes, other.outcomes)
  }

  /// The things that were there `before`, with what each half has changed since.
  private static func joined<Thing: AnyObject>(
    _ before: [String: Thing], _ first: [String: Thing], _ second: [String: Thing]
  ) -> [String: Thing] {
    var things = before
    for half in [first, second] {
      for name in Set(half.keys).union(before.keys) where half[name] !== before[name] { things[name] = half[name] }
    }
    return things
  }
}

/// One half of a `par`.
///
/// One thread at a time uses it: the one that makes it, then the one that runs it, then the first again. `Partner`
/// orders them.
private final class Half: @unchecked Sendable {
  let machine: ScenarioMachine
  private let statements: [Statement]
  private(set) var outcomes: [Outcome] = []

  init(_ machine: ScenarioMachine, _ statements: [Statement]) {
    self.machine = machine
    self.statements = statements
    outcomes.reserveCapacity(statements.count)
  }

  func run() {
    for statement in statements {
      outcomes.append(machine.execute(statement))
      // A processor may hold a store back while it does the next load. Whole statements have an order, so the store
      // comes first.
      atomicMemoryFence(ordering: .sequentiallyConsistent)
    }
  }
}
