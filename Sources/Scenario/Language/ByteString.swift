import Foundation

/// BYTES: a string of hex digits (`c0ffee`), or one byte many times (`ff*4096`).
public struct ByteString: Equatable, Sendable, CustomStringConvertible {
  public var bytes: [UInt8]
  /// Whether the file has the form `BYTE*COUNT`. The description keeps that form.
  public var isRepeated: Bool

  public init(_ bytes: [UInt8]) {
    self.bytes = bytes
    isRepeated = false
  }

  public init(repeating byte: UInt8, count: Int) {
    bytes = [UInt8](repeating: byte, count: count)
    isRepeated = true
  }

  public static func == (one: ByteString, other: ByteString) -> Bool {
    // Like `areEqual`: a loop over 2 MiB takes long in debug builds.
    one.isRepeated == other.isRepeated && one.bytes.count == other.bytes.count
      && one.bytes.withUnsafeBytes { bytes in
        other.bytes.withUnsafeBytes { bytes.isEmpty || memcmp(bytes.baseAddress!, $0.baseAddress!, bytes.count) == 0 }
      }
  }

  public var description: String {
    guard isRepeated else { return Self.hex(bytes) }
    return "\(Self.hex(bytes.first ?? 0))*\(bytes.count)"
  }

  /// The form of results: hex digits, or `BYTE*COUNT` for 16 or more equal bytes.
  public static func result(_ bytes: [UInt8]) -> String {
    if bytes.count >= 16, let first = bytes.first, areEqual(bytes) { return "\(hex(first))*\(bytes.count)" }
    return hex(bytes)
  }

  /// Whether each byte equals its neighbour. A scenario may read 2 MiB, and in debug builds a loop takes half a second
  /// for it.
  private static func areEqual(_ bytes: [UInt8]) -> Bool {
    bytes.withUnsafeBytes { buffer in
      guard let start = buffer.baseAddress, buffer.count > 1 else { return true }
      return memcmp(start, start + 1, buffer.count - 1) == 0
    }
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
