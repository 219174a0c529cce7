/// Pins of many pages at once.
///
/// One section and one descent serve at most 64 pages of one node, so that no grace period waits long. The slot engine
/// holds resident base pages in a list, up to the first page that needs something else. References hold all others,
/// also those of long-term pins.
extension AddressSpace {
  /// Pins the pages of a range, as many as can be pinned, in order (`pin_user_pages`).
  ///
  /// - Parameters:
  ///   - address: anywhere in the first page.
  ///   - pages: how many. None are pinned for 0.
  ///   - options: what the pins are for.
  /// - Returns: the pages up to the first that could not be pinned. With `fastOnly` there may be none.
  /// - Throws:
  ///   - what `pin(at:_:)` throws, for the first page. With `fastOnly` it throws nothing for that. An error at a later
  ///     page ends the range instead.
  ///   - `invalidArgument` if the count is negative.
  /// - Complexity: O(pages).
  public func pin(
    at address: VirtualAddress, pages: Int, _ options: PinOptions = []
  ) throws(PageError) -> PinnedPages {
    guard pages >= 0, options.isLegal else { throw .invalidArgument }
    var held = HeldFrames(memory, counts: options.holdDelta)
    let isWritable = options.contains(.write)
    guard address < VirtualAddress.limit, pages <= Int.max / Page.size else {
      guard pages == 0 || options.contains(.fastOnly) else { throw .badAddress }
      return PinnedPages(held, isWritable: isWritable)
    }
    let start = address.pageStart
    if let list = engine.holdList(from: start, pages: pages, options, in: self) { held.begin(with: list) }
    if held.count < pages { held.reserveCapacity(min(pages - held.count, 1 << 16)) }
    if engine.hasFastPath {
      holdResident(from: start, pages: pages, options, into: &held)
      events.add(UInt64(held.count), to: Counters.fastIndex)
    }
    if held.count < pages, !options.contains(.fastOnly) {
      let error = pinSlowly(from: start, pages: pages, options, into: &held)
      if held.count == 0, let error { throw error }
    }
    return PinnedPages(held, isWritable: isWritable)
  }

  /// Gets the pages of a range, as `pin(at:pages:_:)`, by plain references (`get_user_pages`). See `get(at:_:)`.
  public func get(
    at address: VirtualAddress, pages: Int, _ options: PinOptions = []
  ) throws(PageError) -> PinnedPages {
    try pin(at: address, pages: pages, options.union(.get))
  }

  /// Pins the pages of a range, as many as can be pinned, in order. See `pin(at:pages:_:)`.
  ///
  /// - Throws:
  ///   - what `pin(at:pages:_:)` throws.
  ///   - `invalidArgument` if the range does not begin and end with a page.
  public func pin(_ range: Range<VirtualAddress>, _ options: PinOptions = []) throws(PageError) -> PinnedPages {
    try pin(at: range.lowerBound, pages: try range.pageCount(), options)
  }

  /// Gets the pages of a range. See `get(at:pages:_:)` and `pin(_:_:)`.
  public func get(_ range: Range<VirtualAddress>, _ options: PinOptions = []) throws(PageError) -> PinnedPages {
    try get(at: range.lowerBound, pages: try range.pageCount(), options)
  }

  /// The fast path over a range. It stops at the first page that it cannot hold.
  private func holdResident(
    from start: VirtualAddress, pages: Int, _ options: PinOptions, into held: inout HeldFrames
  ) {
    var isMissing = false
    while held.count < pages, !isMissing {
      let address = start + held.count * Page.size
      guard address < VirtualAddress.limit else { return }
      isMissing = !RCU.read { holdBatch(from: address, pages: pages - held.count, options, into: &held, $0) }
    }
  }

  /// Base pages that one section of a range pin holds at most.
  static var pagesPerSection: Int { 64 }

  /// Holds at most `pagesPerSection` pages, or one huge entry's, from `start` on. Returns false if a page could not be
  /// held.
  @inline(__always)
  private func holdBatch(
    from start: VirtualAddress, pages: Int, _ options: PinOptions, into held: inout HeldFrames, _ section: RCU.Section
  ) -> Bool {
    guard let node = table.lowestNode(for: start, section) else {
      guard let leaf = table.leaf(for: start, section) else { return false }
      // A node that was linked between the two descents is met by the next batch.
      if leaf.isLowestLevel { return true }
      if ReferenceEngine.holdRun(leaf, at: start, pages: pages, options, in: self, into: &held) { return true }
      return holdZeroes(leaf, at: start, limit: min(pages, Self.pagesPerSection), options, into: &held) > 0
    }
    let (test, holdDelta, isLongTerm) = (options.test, options.holdDelta, options.contains(.longTerm))
    let first = TableNode.index(of: start, level: 1)
    let end = min(pages, TableNode.entryCount - first, Self.pagesPerSection)
    var index = 0
    while index < end {
      let ptep = node[first + index]
      let address = start + index * Page.size
      let leaf = Leaf(ptep, ptep.loadToWalk(), isLowestLevel: true, section)
      if test.accepts(leaf.pte), isNormal(leaf, at: address), !(isLongTerm && frames.isMovable(leaf.pte.pfn)) {
        let frame = frames.frame(leaf.pte.pfn)
        guard retain(frame, holdDelta, behind: leaf) else { return false }
        held.append(frame)
        index += 1
      } else {
        let count = holdOther(leaf, at: address, limit: end - index, options, into: &held)
        guard count > 0 else { return false }
        index += count
      }
    }
    return true
  }

  /// Holds a page that the ordinary comparison refused, or at most `limit` that show the zero page. Returns how
  /// many. Out of line, so that base pages pay nothing.
  @inline(never)
  private func holdOther(
    _ leaf: Leaf, at address: VirtualAddress, limit: Int, _ options: PinOptions, into held: inout HeldFrames
  ) -> Int {
    let zeroes = holdZeroes(leaf, at: address, limit: limit, options, into: &held)
    if zeroes > 0 { return zeroes }
    guard let other = ReferenceEngine.holdOther(leaf, at: address, options, in: self) else { return 0 }
    // A part of a huge frame is a run of its own: its neighbours may be other programs' pages.
    if other.isPart { held.append(run: other.frame, count: 1) } else { held.append(other.frame) }
    return 1
  }

  /// Holds at most `limit` pages that show the zero page, from `leaf`'s on, by one addition. Returns how many.
  private func holdZeroes(
    _ leaf: Leaf, at address: VirtualAddress, limit: Int, _ options: PinOptions, into held: inout HeldFrames
  ) -> Int {
    let pages = zeroPages(behind: leaf, at: address, limit: limit, options)
    guard pages > 0, retainZeroFrame(options.holdDelta, pages: pages) else { return 0 }
    for _ in 0..<pages { held.append(zeroFrame) }
    return pages
  }
}
