import SeededRandom

/// The generator of torture and model tests.
public typealias SeededGenerator = SplitMix64

/// The seed of this run: `GUP_SEED`, or a random one. The run prints it once, so that a failure can be repeated.
public enum TestSeed {
  /// The run's seed.
  public static let run: UInt64 = {
    let seed = TestEnvironment.number(
      "GUP_SEED", in: 0...UInt64.max, default: UInt64.random(in: 0...0xFFFF_FFFF))
    print("torture and model tests: seed \(seed) (GUP_SEED=\(seed) repeats it)")
    return seed
  }()

  /// The seed of one named part of the run. It does not depend on the tests that run beside that part.
  public static func named(_ name: String) -> UInt64 {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in name.utf8 {
      hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3
    }
    return hash ^ run
  }
}

/// The length of the torture tests.
public enum TortureTime {
  /// Seconds for each racing pair and engine: `GUP_TORTURE_SECONDS`, or a length that keeps the whole suite under a
  /// minute.
  public static let perPair = TestEnvironment.number("GUP_TORTURE_SECONDS", in: 0.01...86_400, default: 0.04)
}

/// The length of the model tests.
public enum ModelPrograms {
  /// The number of programs for each engine: `GUP_MODEL_PROGRAMS`, or enough for a few seconds.
  public static let count = TestEnvironment.number("GUP_MODEL_PROGRAMS", in: 1...1_000_000_000, default: 300)
}
