import Measuring

/// How much of a thread's time goes into pins and releases. One step in 13 is timed, less the cost of the clock. An odd
/// number, because pins and releases alternate.
struct PinMeter {
  private static let every: UInt64 = 13
  private static let overhead = Clock.overhead

  private var seen: UInt64 = 0
  private(set) var sampled: UInt64 = 0
  private(set) var nanoseconds: UInt64 = 0

  /// The start of a step that is timed, zero if this one is not. One for which `condition` is false counts as long as
  /// the others.
  @inline(__always)
  mutating func begin(if condition: @autoclosure () -> Bool = true) -> UInt64 {
    seen &+= 1
    return seen % Self.every == 0 && condition() ? Clock.now() : 0
  }

  @inline(__always)
  mutating func end(_ start: UInt64) {
    if start != 0 { record(start) }
  }

  @inline(never)
  private mutating func record(_ start: UInt64) {
    let elapsed = Clock.now() - start
    sampled += 1
    nanoseconds += elapsed > Self.overhead ? elapsed - Self.overhead : 0
  }

  /// Nanoseconds of all steps, those that were not timed estimated from those that were.
  var estimated: Double { sampled == 0 ? 0 : Double(nanoseconds) / Double(sampled) * Double(seen) }

  mutating func reset() { self = PinMeter() }

  mutating func add(_ other: PinMeter) {
    seen += other.seen
    sampled += other.sampled
    nanoseconds += other.nanoseconds
  }
}
