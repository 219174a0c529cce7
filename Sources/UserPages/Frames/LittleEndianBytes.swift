/// An integer's bytes in memory, lowest first.
extension FixedWidthInteger {
  var littleEndianBytes: [UInt8] {
    (0..<MemoryLayout<Self>.size).map { UInt8(truncatingIfNeeded: self >> Self(8 * $0)) }
  }

  init(littleEndianBytes bytes: [UInt8]) {
    self = bytes.enumerated().reduce(0) { $0 | Self(truncatingIfNeeded: $1.element) << Self(8 * $1.offset) }
  }
}
