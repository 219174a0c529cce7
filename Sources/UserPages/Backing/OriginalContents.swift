/// What a memory file still has of the contents that it was made with.
///
/// A page is filled from them when it is first used. What was cut off or punched out before reads as zeroes instead.
struct OriginalContents {
  /// Bytes from here on are gone.
  private var byteCount: Int
  /// Pages below it that are gone. Ranges: a hole may be as large as the file.
  private var holes = RangeSet<Int>()
  /// Counts the changes. A page that was filled before a change is not entered after it.
  private(set) var version: UInt64 = 0

  private var pageCount: Int { Page.count(holding: byteCount) }

  init(byteCount: Int) { self.byteCount = byteCount }

  /// How many bytes of a page there are, from its start.
  func bytes(ofPage page: Int) -> Int {
    if holes.contains(page) { return 0 }
    return min(max(byteCount - page * Page.size, 0), Page.size)
  }

  /// Forgets the bytes from `end` on.
  mutating func cut(at end: Int) {
    version += 1
    byteCount = min(byteCount, end)
    holes.remove(contentsOf: pageCount..<Int.max)
  }

  /// Forgets whole pages.
  mutating func punch(_ pages: Range<Int>) {
    version += 1
    holes.insert(contentsOf: pages.clamped(to: 0..<pageCount))
  }
}
