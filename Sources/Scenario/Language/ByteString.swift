/// BYTES: a string of hex digits (`c0ffee`), or one byte many times (`ff*4096`).
public struct ByteString: Equatable, Sendable, CustomStringConvertible {
  public var bytes: [UInt8]
  /// Whether it was written `BYTE*COUNT`; it prints as it was written.
  public var isRepeated: Bool

  public init(_ bytes: [UInt8]) {
    self.bytes = bytes
    isRepeated = false
  }

  public init(repeating byte: UInt8, count: Int) {
    bytes = [UInt8](repeating: byte, count: count)
    isRepeated = true
  }

  public var description: String {
    guard isRepeated else { return Self.hex(bytes) }
    return "\(Self.hex(bytes.first ?? 0))*\(bytes.count)"
  }

  /// As results print bytes: hex digits, or `BYTE*COUNT` where there are 16 or more and all are equal.
  public static func result(_ bytes: [UInt8]) -> String {
    // Whole arrays are compared: a scenario reads 2 MiB at a time, and a closure a byte is slow where nothing is optimized.
    if bytes.count >= 16, let first = bytes.first, bytes == [UInt8](repeating: first, count: bytes.count) {
      return "\(hex(first))*\(bytes.count)"
    }
    return hex(bytes)
  }

  /// Two hex digits.
  static func hex(_ byte: UInt8) -> String { hex([byte]) }

  private static func hex(_ bytes: [UInt8]) -> String {
    var text: [UInt8] = []
    text.reserveCapacity(bytes.count * 2)
    for byte in bytes {
      text.append(digit(byte >> 4))
      text.append(digit(byte & 15))
    }
    return String(decoding: text, as: UTF8.self)
  }

  private static func digit(_ value: UInt8) -> UInt8 {
    value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
  }
}
