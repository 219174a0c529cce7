/// A small seeded generator: the same seed gives the same programs on every machine.
public struct SplitMix64: RandomNumberGenerator, Sendable {
  private var state: UInt64

  public init(seed: UInt64) { state = seed }

  /// The generator of one program of a run: programs are independent of each other, so that one can be had alone.
  public init(seed: UInt64, program: Int) {
    var mixed = SplitMix64(seed: seed)
    self.init(seed: mixed.next() ^ (UInt64(program) &* 0xD1B5_4A32_D192_ED03))
  }

  public mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }

  /// True `percent` times of a hundred.
  mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &self) < percent }

  /// One of `choices`, which is not empty, each as often as its weight says.
  mutating func pick<Choice>(_ choices: [(weight: Int, Choice)]) -> Choice {
    var rest = Int.random(in: 0..<choices.reduce(0) { $0 + $1.weight }, using: &self)
    for (weight, choice) in choices {
      if rest < weight { return choice }
      rest -= weight
    }
    return choices[0].1
  }
}
