import Synchronization

/// Atomic words that begin as 0, and take memory where one was stored to: an index of which most is empty.
///
/// Every access is sequentially consistent: the protocols over such words are store-then-load on both sides.
final class SparseWords: @unchecked Sendable {
  /// Up to so many words come from the heap. A mapping of their own costs a system call and at least a page.
  private static let mostFromHeap = 4096

  let count: Int
  // For the object's life. Mapped as zero pages if there are many: an atomic word of 0 is a zero word.
  private let words: UnsafeMutablePointer<Atomic<UInt64>>

  /// Nil if the process lacks the address space.
  init?(count: Int) {
    self.count = count
    guard count > Self.mostFromHeap else {
      words = .allocate(capacity: max(count, 1))
      for index in 0..<count { (words + index).initialize(to: Atomic(0)) }
      return
    }
    guard let start = ZeroedMemory.allocateIfPossible(bytes: count * MemoryLayout<UInt64>.stride) else { return nil }
    words = start.assumingMemoryBound(to: Atomic<UInt64>.self)
  }

  deinit {
    guard count > Self.mostFromHeap else { return words.deallocate() }
    ZeroedMemory.release(UnsafeMutableRawPointer(words), bytes: count * MemoryLayout<UInt64>.stride)
  }

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
