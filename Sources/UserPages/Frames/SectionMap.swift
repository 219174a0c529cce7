import CPlatform

/// The sections of physical memory: which frame numbers exist, and giving them out in multiples of 2 MiB.
///
/// A section is RAM, an image's frames, a device's, or those of the zero page. Its life:
///
///     add            frame numbers, descriptors and bytes are there; `FrameTable.kind(of:)` says so
///     endReferences  described sections alone: the owner's reference on each frame is given up
///     unpublish      no frame, or the last one's last reference, is left: `kind(of:)` says `hole`
///     release        a grace period later ([section-end]): the memory goes, the numbers may be given out again
///
/// Locks: see <doc:LockOrder>, level 8. Nothing is called under `lock` but `cp_` functions and `FrameTable`.
final class SectionMap: @unchecked Sendable {
  private let table: FrameTable
  private let lock = FutexLock()
  // Guarded by `lock`. In units of 2 MiB, ordered, and never touching each other.
  private var free: [Range<Int>]
  // Guarded by `lock`. From `add` to `unpublish`.
  private var live: [Section] = []

  /// A section that exists.
  struct Section {
    let first: PFN
    let pages: Int
    let isDescribed: Bool
    /// Frames that still have references. Counted once the owner has given its own up.
    fileprivate(set) var usedFrames: Int
    /// Where the bytes come from, if they are filled on demand.
    fileprivate let pattern: PatternFile?

    fileprivate func contains(_ pfn: PFN) -> Bool { pfn >= first && pfn < first + pages }
  }

  init(table: FrameTable) {
    self.table = table
    // Frame number 0 stays a hole: a frame number that was never set is then never valid.
    free = [1..<table.span / Page.pagesPerHuge]
  }

  /// Adds `pages` frames of memory and returns the first one's number.
  ///
  /// - Parameters:
  ///   - described: whether the frames have descriptors. Those begin as zero words.
  ///   - file: what the bytes are: a file descriptor, or a negative number for private zeroes.
  ///   - writable: whether this process may write to them.
  ///   - pattern: fills `file` when a frame is first used by its number, see `fill`. It is nil if all bytes are there.
  /// - Throws:
  ///   - `outOfMemory` if there are not as many frame numbers.
  ///   - `file` if `file`, or memory for the descriptors, cannot be mapped.
  func add(
    pages: Int, described: Bool, file: Int32, writable: Bool, shared: Bool, pattern: PatternFile? = nil
  ) throws(PageError) -> PFN {
    let count = (pages + Page.pagesPerHuge - 1) / Page.pagesPerHuge
    guard pages > 0, let range = take(count) else { throw .outOfMemory }
    let first = PFN(UInt64(range.lowerBound * Page.pagesPerHuge))
    var error = cp_commit(table.bytes(of: first).address, pages * Page.size, file, 0, writable ? 1 : 0, shared ? 1 : 0)
    if error == 0, described {
      error = cp_commit(table.frame(first).descriptor, Self.descriptorBytes(range.count), -1, 0, 1, 0)
    }
    guard error == 0 else {
      cp_decommit(table.bytes(of: first).address, range.count * Page.hugeSize)
      giveBack(range)
      throw .file(.map, errno: -error)
    }
    let section = Section(
      first: first, pages: pages, isDescribed: described, usedFrames: described ? pages : 0, pattern: pattern)
    withLock { live.append(section) }
    for (index, section) in range.enumerated() {
      let count = min(pages - index * Page.pagesPerHuge, Page.pagesPerHuge)
      table.setSection(
        section, described ? .described : .bare, count: count, isWritable: writable, isFilledOnDemand: pattern != nil)
    }
    return first
  }

  private static func descriptorBytes(_ sections: Int) -> Int {
    sections * Page.pagesPerHuge * MemoryLayout<FrameDescriptor>.stride
  }

  /// Those with descriptors that exist at this moment, in no order.
  ///
  /// Each may end at once: look at its frames as `FrameTable.kind(of:)` demands.
  var described: [Section] { withLock { live.filter(\.isDescribed) } }

  // MARK: Filling on demand

  /// Makes the bytes of `count` frames from `pfn` on what they should be, before they are mapped or copied by number.
  ///
  /// O(1) where no frame of the section is filled on demand, or those of the same 2 MiB need nothing. Runs the code
  /// that defines an image's contents: not inside a read-side section, and under no lock.
  /// - Throws: `file` with the errno if the file behind them lacks the memory.
  func fill(_ pfn: PFN, count: Int) throws(PageError) {
    guard table.isFilledOnDemand(pfn) else { return }
    let found = withLock { live.first { $0.contains(pfn) } }
    guard let found, let pattern = found.pattern else { return }
    let page = Int(pfn.rawValue - found.first.rawValue)
    try pattern.fill(page..<min(page + count, found.pages))
  }

  // MARK: The end

  /// Gives up the references that the owner of a described section has on its frames: one on each. If no frame has
  /// another, unpublishes the section and returns its first frame: the caller releases it a grace period later.
  ///
  /// Where a frame has more, because an entry, a get or a pin holds it, its last put does the rest (`endReference`).
  ///
  /// A reference here falls at once, without a grace period. No entry leads to a frame by the owner's reference, so no
  /// walker and no pin slot relies on it. Each of them relies on an entry's reference, which the deferred queue gives
  /// up.
  func endReferences(from first: PFN, pages: Int) -> PFN? {
    var ended = 0
    for page in 0..<pages {
      let frame = table.frame(first + page)
      frame.clear(Frame.reservedBit)
      if frame.put(Frame.oneReference) { ended += 1 }
    }
    return ended > 0 ? endReference(on: first, frames: ended) : nil
  }

  /// The last references of `frames` frames in the section around `pfn` are gone. Returns as `endReferences`.
  /// O(sections).
  func endReference(on pfn: PFN, frames: Int = 1) -> PFN? {
    let section = withLock { () -> Section? in
      guard let index = live.firstIndex(where: { $0.contains(pfn) }) else {
        preconditionFailure("\(pfn) was given back, and is of no section")
      }
      live[index].usedFrames -= frames
      return live[index].usedFrames == 0 ? live[index] : nil
    }
    guard let section else { return nil }
    unpublish(section.first)
    return section.first
  }

  /// From now on there is no such memory for any thread that asks `FrameTable.kind(of:)`. The caller knows that no
  /// entry and no pin is left, and releases the section a grace period later.
  func unpublish(_ first: PFN) {
    let section = withLock { live.remove(at: live.firstIndex { $0.first == first }!) }
    for index in Self.units(of: section) { table.setSection(index, .hole, count: 0) }
    withLock { ending.append(section) }
  }

  // Guarded by `lock`. From `unpublish` to `release`.
  private var ending: [Section] = []

  /// Gives back the memory and the frame numbers of a section that was unpublished before the last grace period began.
  func release(_ first: PFN) {
    let section = withLock { ending.remove(at: ending.firstIndex { $0.first == first }!) }
    let range = Self.units(of: section)
    if section.isDescribed { cp_decommit(table.frame(first).descriptor, Self.descriptorBytes(range.count)) }
    cp_decommit(table.bytes(of: first).address, range.count * Page.hugeSize)
    giveBack(range)
  }

  /// The frame numbers of a section, in units of 2 MiB.
  private static func units(of section: Section) -> Range<Int> {
    let start = Int(section.first.rawValue) / Page.pagesPerHuge
    return start..<start + (section.pages + Page.pagesPerHuge - 1) / Page.pagesPerHuge
  }

  // MARK: Numbers

  private func take(_ count: Int) -> Range<Int>? {
    withLock {
      guard let index = free.firstIndex(where: { $0.count >= count }) else { return nil }
      let range = free[index].lowerBound..<free[index].lowerBound + count
      if range.upperBound == free[index].upperBound {
        free.remove(at: index)
      } else {
        free[index] = range.upperBound..<free[index].upperBound
      }
      return range
    }
  }

  private func giveBack(_ range: Range<Int>) {
    withLock {
      var range = range
      if let before = free.firstIndex(where: { $0.upperBound == range.lowerBound }) {
        range = free.remove(at: before).lowerBound..<range.upperBound
      }
      if let after = free.firstIndex(where: { $0.lowerBound == range.upperBound }) {
        range = range.lowerBound..<free.remove(at: after).upperBound
      }
      free.insert(range, at: free.firstIndex { $0.lowerBound > range.lowerBound } ?? free.endIndex)
    }
  }

  private func withLock<Result>(_ body: () -> Result) -> Result {
    lock.lock()
    defer { lock.unlock() }
    return body()
  }
}
