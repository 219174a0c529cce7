/// CRC-32C (Castagnoli), as EROFS uses it: started with all ones, and not inverted at the end.
struct CRC32C {
  private(set) var value: UInt32 = 0xffff_ffff

  private static let table: [UInt32] = (0..<256).map { index in
    var remainder = UInt32(index)
    for _ in 0..<8 {
      remainder = remainder & 1 == 1 ? (remainder >> 1) ^ 0x82f6_3b78 : remainder >> 1
    }
    return remainder
  }

  mutating func add(_ bytes: some Sequence<UInt8>) {
    for byte in bytes {
      value = (value >> 8) ^ Self.table[Int((value ^ UInt32(byte)) & 0xff)]
    }
  }
}
