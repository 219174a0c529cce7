import Synchronization

/// Makes allocations fail, for the tests of this package (Linux's `fail_page_alloc`).
///
/// They are those of frames, of table nodes, and of memory beside RAM that caches, files, images, devices and mirrors
/// reserve. An allocation without an error is not counted: one of Swift's heap, or a table node of an operation that
/// could not be undone (`SpareNodes`).
///
/// Like yield points it exists in debug builds, and in release builds with `-DUSERPAGES_YIELD_POINTS`. Otherwise it
/// does nothing.
package final class AllocationFailures: Sendable {
  /// Allocations until one fails. With 0 none does.
  private let countdown = Atomic<Int>(0)
  private let isLasting = Atomic<Bool>(false)
  private let failures = Atomic<Int>(0)

  /// Makes the `number`th allocation from now on fail, counted from 1. If it is `lasting`, those after it fail too.
  package func fail(_ number: Int, lasting: Bool = false) {
    precondition(number > 0, "allocations are counted from 1")
    failures.store(0, ordering: .sequentiallyConsistent)
    isLasting.store(lasting, ordering: .sequentiallyConsistent)
    countdown.store(number, ordering: .sequentiallyConsistent)
  }

  /// Lets all allocations succeed. Returns how many have failed since `fail`.
  @discardableResult
  package func stop() -> Int {
    countdown.store(0, ordering: .sequentiallyConsistent)
    return failures.load(ordering: .sequentiallyConsistent)
  }

  /// Whether one of the next allocations fails.
  @inline(__always)
  var isAwaited: Bool {
    #if DEBUG || USERPAGES_YIELD_POINTS
      return countdown.load(ordering: .relaxed) != 0
    #else
      return false
    #endif
  }

  /// Whether the allocation that is about to be made fails.
  @inline(__always)
  func isNext() -> Bool {
    #if DEBUG || USERPAGES_YIELD_POINTS
      return countdown.load(ordering: .relaxed) != 0 && countDown()
    #else
      return false
    #endif
  }

  /// Fails in the place of an allocation that is about to be made.
  ///
  /// - Throws: `outOfMemory`.
  @inline(__always)
  func check() throws(PageError) { if isNext() { throw .outOfMemory } }

  @inline(never)
  private func countDown() -> Bool {
    while true {
      let left = countdown.load(ordering: .sequentiallyConsistent)
      if left == 0 { return false }
      let next = left > 1 ? left - 1 : isLasting.load(ordering: .sequentiallyConsistent) ? 1 : 0
      guard
        countdown.compareExchange(expected: left, desired: next, ordering: .sequentiallyConsistent).exchanged
      else { continue }
      if left == 1 { failures.wrappingAdd(1, ordering: .sequentiallyConsistent) }
      return left == 1
    }
  }
}
