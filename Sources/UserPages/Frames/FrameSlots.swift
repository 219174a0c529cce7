import Synchronization

/// An array of places for frames, each empty or holding one, changed one atomic word at a time: a file's page cache.
final class FrameSlots: @unchecked Sendable {
  let count: Int
  // Raw memory: atomics must not move. A word is a frame number plus one, 0 for empty.
  private let words: UnsafeMutablePointer<Atomic<UInt64>>

  init(count: Int) {
    self.count = count
    words = .allocate(capacity: max(count, 1))
    for index in 0..<count { (words + index).initialize(to: Atomic(0)) }
  }

  deinit { words.deallocate() }

  subscript(index: Int) -> PFN? {
    // ORDERING [slot-publish]: acquire, pairs with `install`'s release: who finds a frame finds its contents.
    let word = words[index].load(ordering: .sequentiallyConsistent)
    return word == 0 ? nil : PFN(word - 1)
  }

  /// Puts a frame into an empty place; false where it was not empty.
  ///
  /// ORDERING [slot-publish]: release (and more): the frame was filled before.
  func install(_ pfn: PFN, at index: Int) -> Bool {
    words[index].compareExchange(expected: 0, desired: pfn.rawValue + 1, ordering: .sequentiallyConsistent).exchanged
  }

  /// Empties a place that holds `pfn`; false where it does not.
  func remove(_ pfn: PFN, at index: Int) -> Bool {
    words[index].compareExchange(expected: pfn.rawValue + 1, desired: 0, ordering: .sequentiallyConsistent).exchanged
  }
}
