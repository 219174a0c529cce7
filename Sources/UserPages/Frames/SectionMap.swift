import CPlatform

/// Which stretches of physical memory exist, and giving them out; stretches are multiples of 2 MiB.
final class SectionMap: @unchecked Sendable {
  private let table: FrameTable
  private let lock = FutexLock()
  // Guarded by `lock`.
  private var free: [Range<Int>]

  init(table: FrameTable) {
    self.table = table
    // Frame number 0 stays a hole: a frame number that was never set is then never valid.
    free = [1..<table.span / Page.pagesPerHuge]
  }

  /// Adds `pages` frames of memory and returns the first one's number.
  ///
  /// - Parameters:
  ///   - described: whether the frames have descriptors; those begin as zero words.
  ///   - file: what the bytes are: a file descriptor, or a negative number for private zeroes.
  ///   - writable: whether this process may write to them.
  func add(pages: Int, described: Bool, file: Int32, writable: Bool, shared: Bool) throws(PageError) -> PFN {
    let count = (pages + Page.pagesPerHuge - 1) / Page.pagesPerHuge
    guard pages > 0, let range = take(count) else { throw .outOfMemory }
    let first = PFN(UInt64(range.lowerBound * Page.pagesPerHuge))
    var error = cp_commit(table.bytes(of: first).address, pages * Page.size, file, 0, writable ? 1 : 0, shared ? 1 : 0)
    if error == 0, described {
      let bytes = range.count * Page.pagesPerHuge * MemoryLayout<FrameDescriptor>.stride
      error = cp_commit(table.frame(first).descriptor, bytes, -1, 0, 1, 0)
    }
    guard error == 0 else {
      giveBack(range)
      throw .outOfMemory
    }
    for (index, section) in range.enumerated() {
      let count = min(pages - index * Page.pagesPerHuge, Page.pagesPerHuge)
      table.setSection(section, described ? .described : .bare, count: count)
    }
    return first
  }

  /// Removes what `add` added. The caller knows that no entry and no pin is left.
  func remove(_ first: PFN, pages: Int) {
    let start = Int(first.rawValue) / Page.pagesPerHuge
    let range = start..<start + (pages + Page.pagesPerHuge - 1) / Page.pagesPerHuge
    if table.isValid(first) {
      let bytes = range.count * Page.pagesPerHuge * MemoryLayout<FrameDescriptor>.stride
      cp_decommit(table.frame(first).descriptor, bytes)
    }
    for section in range { table.setSection(section, .hole, count: 0) }
    cp_decommit(table.bytes(of: first).address, range.count * Page.hugeSize)
    giveBack(range)
  }

  private func take(_ count: Int) -> Range<Int>? {
    lock.lock()
    defer { lock.unlock() }
    guard let index = free.firstIndex(where: { $0.count >= count }) else { return nil }
    let range = free[index].lowerBound..<free[index].lowerBound + count
    if range.upperBound == free[index].upperBound {
      free.remove(at: index)
    } else {
      free[index] = range.upperBound..<free[index].upperBound
    }
    return range
  }

  private func giveBack(_ range: Range<Int>) {
    lock.lock()
    defer { lock.unlock() }
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
