import Synchronization

/// The states of a file's pages, how many of them are dirty, and what became of those that were read ahead.
///
/// Memory is taken where a page was used (`SparseWords`), so a huge sparse file costs nothing.
final class PageStates: Sendable {
  private let words: SparseWords
  private let dirtyPages = Atomic<Int>(0)
  // Counted where a state changes, so that no way out of the cache is forgotten.
  private let aheadPages = Atomic<Int>(0)
  private let aheadHits = Atomic<Int>(0)
  private let aheadWaste = Atomic<Int>(0)

  /// - Throws: `outOfMemory` if the process lacks the address space.
  init(count: Int, _ failures: AllocationFailures) throws(PageError) {
    try failures.check()
    guard let words = SparseWords(count: count) else { throw .outOfMemory }
    self.words = words
  }

  /// The most pages that there can be.
  var capacity: Int { words.count }

  /// Pages with the dirty mark. Exact while none changes, otherwise never too few ([count-then-mark]).
  var dirtyCount: Int { dirtyPages.load(ordering: .relaxed) }

  /// What read-ahead has done. Exact while no state changes.
  var readAheadCounts: ReadAheadCounts {
    ReadAheadCounts(
      pages: aheadPages.load(ordering: .relaxed), hits: aheadHits.load(ordering: .relaxed),
      wasted: aheadWaste.load(ordering: .relaxed))
  }

  subscript(page: Int) -> PageState { PageState(rawValue: words[page]) }

  /// Replaces a page's state if it still is `old`.
  ///
  /// A write-back that counts no dirty page looks at none, so the count is never below the number of marks:
  ///
  ///     a thread marks a page      another finds the mark, stores, and syncs
  ///     1. counts the mark
  ///     2. sets it                 3. reads the mark, stores to the page
  ///                                4. reads the count: 1 at least
  ///
  /// ORDERING [count-then-mark]: step 2 is sequentially consistent. So a thread that has read the mark, or an entry
  /// made writable behind it, reads the count of 1 or a later one. A mark that is taken away is uncounted after.
  func replace(_ old: PageState, with new: PageState, at page: Int) -> Bool {
    let isMarking = new.isDirty && !old.isDirty
    if isMarking {
      dirtyPages.wrappingAdd(1, ordering: .relaxed)
      YieldPoint.dirtyBetweenCountAndMark.reach()
    }
    let isReplaced = words.replace(old.rawValue, with: new.rawValue, at: page)
    if isReplaced ? old.isDirty && !new.isDirty : isMarking { dirtyPages.wrappingSubtract(1, ordering: .relaxed) }
    guard isReplaced else { return false }
    if old.isAhead != new.isAhead { countAhead(new) }
    return true
  }

  private func countAhead(_ new: PageState) {
    if new.isAhead {
      aheadPages.wrappingAdd(1, ordering: .relaxed)
    } else if new.pfn != nil {
      aheadHits.wrappingAdd(1, ordering: .relaxed)
    } else {
      aheadWaste.wrappingAdd(1, ordering: .relaxed)
    }
  }

  /// Changes a page's state by `change`, which returns nil to leave it alone. Returns what it was, or nil if it was
  /// left alone.
  @discardableResult
  func update(_ page: Int, _ change: (PageState) -> PageState?) -> PageState? {
    while true {
      let old = self[page]
      guard let new = change(old) else { return nil }
      if replace(old, with: new, at: page) { return old }
    }
  }

  /// Claims a page for the evictor, (e1) of the protocol. Returns the state that it then has, or nil for a page that is
  /// not clean or not in memory.
  func claimForEviction(_ page: Int) -> PageState? { update(page) { $0.evictable }?.evictable }
}
