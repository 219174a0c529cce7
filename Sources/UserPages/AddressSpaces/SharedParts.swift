/// Where a fork has met parts of 2 MiB frames that were shared before it.
///
/// Pins are counted for the frame as a whole, so those of a part that is not inherited (`dontFork`), and is exclusive still,
/// are seen at the others too, which an earlier fork may have shared. Those cannot have been pinned themselves: they stay as
/// they are. Linux asks the same of each page before it looks for pins (PageAnonExclusive).
struct SharedParts {
  /// Runs of pages, in order.
  private var runs: [Range<VirtualAddress>] = []

  /// Adds a page behind all others.
  mutating func append(_ page: VirtualAddress) {
    if let last = runs.last, last.upperBound == page {
      runs[runs.count - 1] = last.lowerBound..<page + Page.size
    } else {
      runs.append(page..<page + Page.size)
    }
  }

  /// O(log n) of the runs.
  func contains(_ page: VirtualAddress) -> Bool {
    let index = runs.indices.partitioningIndex { runs[$0].upperBound > page }
    return index < runs.count && runs[index].contains(page)
  }
}
