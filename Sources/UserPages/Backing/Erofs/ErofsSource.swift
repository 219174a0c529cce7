/// Where an image's bytes come from.
///
/// The reader checks every range against `byteCount` before it asks, and checks that it got as many bytes as it asked for.
/// A source's bytes must not change while an image is open over it: what was checked once is relied on later, though only
/// for the meaning of the answers. Even over a changing source nothing outside of it is read.
public protocol ErofsSource: Sendable {
  /// How many bytes there are.
  var byteCount: Int { get }

  /// The `count` bytes at `offset`. Both have been checked against `byteCount`.
  func read(at offset: Int, count: Int) throws(ErofsError) -> [UInt8]
}

/// An image held as an array.
public struct ErofsBytes: ErofsSource {
  private let bytes: [UInt8]

  public init(_ bytes: [UInt8]) {
    self.bytes = bytes
  }

  public var byteCount: Int { bytes.count }

  public func read(at offset: Int, count: Int) throws(ErofsError) -> [UInt8] {
    guard offset >= 0, count >= 0, offset <= bytes.count, count <= bytes.count - offset else {
      throw .unreadable(offset: offset, count: count)
    }
    return Array(bytes[offset..<offset + count])
  }
}
