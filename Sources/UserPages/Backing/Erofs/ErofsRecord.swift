/// A piece of an image from which little-endian numbers are taken, each access checked.
struct ErofsRecord {
  let bytes: [UInt8]
  /// Where the piece starts in the image, for messages.
  let offset: Int

  func byte(at position: Int) throws(ErofsError) -> UInt8 {
    guard position >= 0, position < bytes.count else {
      throw .unreadable(offset: offset, count: bytes.count)
    }
    return bytes[position]
  }

  func bytes(at position: Int, count: Int) throws(ErofsError) -> [UInt8] {
    guard position >= 0, count >= 0, position <= bytes.count, count <= bytes.count - position else {
      throw .unreadable(offset: offset, count: bytes.count)
    }
    return Array(bytes[position..<position + count])
  }

  func word16(at position: Int) throws(ErofsError) -> UInt16 {
    UInt16(truncatingIfNeeded: try number(at: position, bytes: 2))
  }

  func word32(at position: Int) throws(ErofsError) -> UInt32 {
    UInt32(truncatingIfNeeded: try number(at: position, bytes: 4))
  }

  func word64(at position: Int) throws(ErofsError) -> UInt64 {
    try number(at: position, bytes: 8)
  }

  private func number(at position: Int, bytes count: Int) throws(ErofsError) -> UInt64 {
    guard position >= 0, position <= bytes.count - count else {
      throw .unreadable(offset: offset, count: bytes.count)
    }
    var value: UInt64 = 0
    for index in 0..<count {
      value |= UInt64(bytes[position + index]) << UInt64(8 * index)
    }
    return value
  }
}
