/// xorshift64*: three shifts and a multiplication, cheap enough to choose a page inside a timed loop. The C subjects
/// compute the same sequence.
@frozen
public struct XorShift {
  public var state: UInt64

  @inlinable
  public init(seed: UInt64) {
    // Neighbouring seeds must not give neighbouring sequences, and zero would stay zero.
    var mixed = seed &+ 0x9e37_79b9_7f4a_7c15
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    state = (mixed ^ (mixed >> 31)) | 1
  }

  @inlinable
  public mutating func next() -> UInt64 {
    state ^= state >> 12
    state ^= state << 25
    state ^= state >> 27
    return state &* 0x2545_f491_4f6c_dd1d
  }

  /// A number below `bound`, which is below 2^32.
  @inlinable
  public mutating func below(_ bound: Int) -> Int {
    Int(truncatingIfNeeded: ((next() >> 32) &* UInt64(truncatingIfNeeded: bound)) >> 32)
  }
}
