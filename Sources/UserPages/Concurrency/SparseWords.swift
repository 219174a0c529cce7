import CPlatform
import Synchronization

/// Atomic words that begin as 0, and take memory where one was stored to: an index of which most is empty.
///
/// Every access is sequentially consistent: the protocols over such words are store-then-load on both sides.
final class SparseWords: @unchecked Sendable {
  let count: Int
  // Mapped as zero pages, for the object's life. An atomic word of 0 is a zero word.
  private let words: UnsafeMutablePointer<Atomic<UInt64>>

  /// Nil where the process has not the address space.
  init?(count: Int) {
    let bytes = max(count, 1) * MemoryLayout<UInt64>.stride
    guard let start = cp_reserve(bytes) else { return nil }
    guard cp_commit(start, bytes, -1, 0, 1, 0) == 0 else {
      cp_release(start, bytes)
      return nil
    }
    self.count = count
    words = start.assumingMemoryBound(to: Atomic<UInt64>.self)
  }

  deinit { cp_release(UnsafeMutableRawPointer(words), max(count, 1) * MemoryLayout<UInt64>.stride) }

  subscript(index: Int) -> UInt64 {
    precondition(index >= 0 && index < count)
    return words[index].load(ordering: .sequentiallyConsistent)
  }

  /// Replaces `old` by `new`. Returns false if the word was not `old`.
  func replace(_ old: UInt64, with new: UInt64, at index: Int) -> Bool {
    precondition(index >= 0 && index < count)
    return words[index].compareExchange(expected: old, desired: new, ordering: .sequentiallyConsistent).exchanged
  }
}
