import Foundation

/// A small, fast generator (splitmix64) whose whole state is its seed, so that a failing run can be repeated.
public struct SeededGenerator: RandomNumberGenerator, Sendable {
  private var state: UInt64

  /// Starts the sequence that belongs to `seed`.
  public init(seed: UInt64) {
    state = seed
  }

  /// The next 64 random bits.
  public mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }

  /// A number in `0..<bound`.
  public mutating func below(_ bound: Int) -> Int {
    Int(next() % UInt64(bound))
  }

  /// True once in `count` on average.
  public mutating func oneIn(_ count: Int) -> Bool {
    below(count) == 0
  }
}

/// The seed of this run: `GUP_SEED` where it is set, else a fresh one. It is printed once, so that a failure can be repeated.
public enum TestSeed {
  /// The run's seed.
  public static let run: UInt64 = {
    let given = ProcessInfo.processInfo.environment["GUP_SEED"]
    let seed = given.flatMap(number) ?? UInt64.random(in: 0...0xFFFF_FFFF)
    print("torture and model tests: seed \(seed) (GUP_SEED=\(seed) repeats it)")
    return seed
  }()

  /// The seed of one named part of the run: the same parts get the same seeds whichever tests run beside them.
  public static func named(_ name: String) -> UInt64 {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in name.utf8 {
      hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3
    }
    return hash ^ run
  }

  private static func number(_ text: String) -> UInt64? {
    text.hasPrefix("0x") ? UInt64(text.dropFirst(2), radix: 16) : UInt64(text)
  }
}

/// How long the torture tests run.
public enum TortureTime {
  /// Seconds for each racing pair and engine: `GUP_TORTURE_SECONDS`, else a length that keeps the whole suite under a minute.
  public static let perPair: Double = {
    let given = ProcessInfo.processInfo.environment["GUP_TORTURE_SECONDS"]
    return given.flatMap(Double.init) ?? 0.25
  }()
}
