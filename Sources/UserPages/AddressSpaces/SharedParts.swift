/// The parts of 2 MiB frames that a fork found already shared.
///
/// Pins are counted for the frame as a whole. A part that is not inherited (`dontFork`) and still exclusive may be
/// pinned. Its pins then show at the other parts too, which an earlier fork may have shared. A shared part cannot have
/// been pinned itself, so it stays as it is. Linux asks the same of each page before it looks for pins
/// (PageAnonExclusive).
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
