import TestSupport
import Testing
import UserPages

/// Threads that race against each other, one file per racing pair.
///
/// The suites below run one after the other: each wants the cores for itself.
@Suite(.serialized, .offThePool)
enum TortureTests {}

/// Runs one race and looks at what is left of it.
///
/// `body` builds the machine's contents and runs the torture. Everything that it makes must be gone when it returns.
func race(
  _ name: String, engine: PinEngine, frames: Int = 1024, movable: Int = 0, swapPages: Int = 0,
  reclaim: ReclaimPolicy = ReclaimPolicy(),
  sourceLocation: SourceLocation = #_sourceLocation,
  body: (Torture, Machine) throws -> Void
) throws {
  let machine = try Machine(frames: frames, movable: movable, swapPages: swapPages, reclaim: reclaim)
  let torture = Torture("\(name), engine \(engine)")
  // Half of the races run as they are, half with threads that hesitate in the protocols' narrow places.
  let jitter = TestSeed.named(torture.name) % 2 == 0 ? Jitter() : nil
  defer { jitter?.remove() }
  try body(torture, machine)
  #expect(torture.failures == [], sourceLocation: sourceLocation)
  #expect(machine.leaks() == [], sourceLocation: sourceLocation)
}
