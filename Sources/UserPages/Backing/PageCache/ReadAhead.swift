/// How many pages a miss reads: more where misses come one after the other (Linux's `page_cache_sync_ra`).
///
/// A miss at the page behind the last window continues a sequence, and doubles the window. Any other miss reads its page alone.
struct ReadAhead: Sendable {
  /// The most pages of a window.
  let limit: Int
  private var next = 0
  private var size = 2

  init(limit: Int) { self.limit = max(limit, 1) }

  /// The pages to read for a miss at `page`, that one included.
  mutating func window(for page: Int) -> Int {
    size = page == next ? min(2 * size, limit) : 1
    next = page + size
    return size
  }
}
