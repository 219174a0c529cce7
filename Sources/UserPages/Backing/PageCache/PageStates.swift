import Synchronization

/// The states of a file's pages, and how many of them are dirty.
///
/// Memory is taken where a page was used (`SparseWords`), so a huge sparse file costs nothing.
final class PageStates: Sendable {
  private let words: SparseWords
  private let dirtyPages = Atomic<Int>(0)

  /// - Throws: `outOfMemory` where the process has not the address space.
  init(count: Int) throws(PageError) {
    guard let words = SparseWords(count: count) else { throw .outOfMemory }
    self.words = words
  }

  /// The most pages that there can be.
  var capacity: Int { words.count }

  /// Pages with the dirty mark. Exact while none changes.
  var dirtyCount: Int { dirtyPages.load(ordering: .relaxed) }

  subscript(page: Int) -> PageState { PageState(rawValue: words[page]) }

  /// Replaces a page's state if it still is `old`.
  func replace(_ old: PageState, with new: PageState, at page: Int) -> Bool {
    guard words.replace(old.rawValue, with: new.rawValue, at: page) else { return false }
    if old.isDirty != new.isDirty { dirtyPages.wrappingAdd(new.isDirty ? 1 : -1, ordering: .relaxed) }
    return true
  }

  /// Changes a page's state by `change`, which returns nil to leave it alone. Returns what it was, or nil if it was left alone.
  @discardableResult
  func update(_ page: Int, _ change: (PageState) -> PageState?) -> PageState? {
    while true {
      let old = self[page]
      guard let new = change(old) else { return nil }
      if replace(old, with: new, at: page) { return old }
    }
  }
}
