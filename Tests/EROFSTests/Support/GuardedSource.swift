import Synchronization
import UserPagesEROFS

/// A source that counts what is read, and notes every question that reaches outside it.
final class GuardedSource: EROFSSource {
  private let bytes: [UInt8]
  private let outside = Atomic<Int>(0)

  init(_ bytes: [UInt8]) {
    self.bytes = bytes
  }

  var byteCount: Int { bytes.count }

  /// How many reads were asked for that are not wholly inside.
  var readsOutside: Int { outside.load(ordering: .relaxed) }

  func read(at offset: Int, count: Int) throws(EROFSError) -> [UInt8] {
    guard offset >= 0, count >= 0, offset <= bytes.count, count <= bytes.count - offset else {
      outside.add(1, ordering: .relaxed)
      throw .unreadable(offset: offset, count: count)
    }
    return Array(bytes[offset..<offset + count])
  }
}
