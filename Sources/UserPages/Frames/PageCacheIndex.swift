import Glibc
import Synchronization

/// Which frame holds each page of a file, if one does: the index of a page cache (Linux's `i_pages`).
///
/// One atomic word a page. A look-up takes no lock; an entry is changed by one compare-and-swap. The cache has one reference on
/// each frame that is in the index; the index itself counts nothing.
final class PageCacheIndex: @unchecked Sendable {
  let count: Int
  // Raw memory: atomics must not move. A word is a frame number plus one, 0 for empty.
  private let words: UnsafeMutablePointer<Atomic<UInt64>>

  /// - Throws: `outOfMemory` where the process has not the address space.
  init(count: Int) throws(PageError) {
    self.count = count
    // An atomic word of 0 is a zero word. The kernel gives a large index zero pages, so a file takes memory where it has pages.
    guard let start = calloc(max(count, 1), MemoryLayout<Atomic<UInt64>>.stride) else { throw .outOfMemory }
    words = start.assumingMemoryBound(to: Atomic<UInt64>.self)
  }

  deinit { free(words) }

  subscript(index: Int) -> PFN? {
    // ORDERING [slot-publish]: acquire, pairs with `install`'s release: a thread that finds a frame finds its contents.
    let word = words[index].load(ordering: .sequentiallyConsistent)
    return word == 0 ? nil : PFN(word - 1)
  }

  /// Enters the frame of a page that has none. Returns false if the page has one.
  ///
  /// ORDERING [slot-publish]: release (and more): the frame was filled before.
  func install(_ pfn: PFN, at index: Int) -> Bool {
    words[index].compareExchange(expected: 0, desired: pfn.rawValue + 1, ordering: .sequentiallyConsistent).exchanged
  }

  /// Takes out the frame of a page. Returns false if the page has another one, or none.
  func remove(_ pfn: PFN, at index: Int) -> Bool {
    words[index].compareExchange(expected: pfn.rawValue + 1, desired: 0, ordering: .sequentiallyConsistent).exchanged
  }
}
