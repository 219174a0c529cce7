/// Ranges of pages, held by one slot: the slot has a list of the frames (`PinList`).
extension SlotEngine {
  /// Holds the resident base pages from `start` on, at most `pages` of them, up to the first that this cannot hold.
  /// That is one that may not be pinned, or that 2 MiB map. Returns nil if that is the first of all, or if no slot is
  /// free. Untouched pages count as resident once an entry shows them as zeroes.
  ///
  /// Neither the entry nor the frame's descriptor is written to, but for the mark of a page that no slot ever held.
  ///
  /// ORDERING [slot-then-leave]: see `PinList`.
  static func hold(
    from start: VirtualAddress, pages: Int, _ options: PinOptions, in space: AddressSpace
  ) -> PinList? {
    guard pages > 0, var list = PinList.claim(isPin: !options.contains(.get)) else { return nil }
    while list.count < pages {
      let address = start + list.count * Page.size
      let count = min(pages - list.count, AddressSpace.pagesPerSection, list.makeRoom())
      guard count > 0, address < VirtualAddress.limit else { break }
      guard RCU.read({ hold(from: address, count: count, options, in: space, into: &list, $0) }) else { break }
    }
    if list.count > 0 { return list }
    list.vacate()
    return nil
  }

  /// Holds at most `count` pages of one node. Returns whether none of them was missing.
  @inline(__always)
  private static func hold(
    from start: VirtualAddress, count: Int, _ options: PinOptions, in space: AddressSpace, into list: inout PinList,
    _ section: RCU.Section
  ) -> Bool {
    guard let node = space.table.lowestNode(for: start, section) else { return false }
    let test = options.test.refusing(PTELayout.neverSlotPinned)
    let first = TableNode.index(of: start, level: 1)
    let end = min(count, TableNode.entryCount - first)
    let places = list.end
    var held = 0
    while held < end {
      held += writeFrames(
        from: first + held, of: node, count: end - held, at: start + held * Page.size, test, in: space, to: places,
        held, section)
      if held == end { break }
      let ptep = node[first + held]
      let leaf = Leaf(ptep, ptep.loadToWalk(), isLowestLevel: true, section)
      let address = start + held * Page.size
      // It has changed since.
      if test.accepts(leaf.pte), space.isNormal(leaf, at: address) { continue }
      if clearsMark(of: leaf, at: address, options, in: space) {
        places.write(space.frames.frame(leaf.pte.pfn), at: held)
        held += 1
      } else {
        let zeroes = writeZeroes(behind: leaf, at: address, limit: end - held, options, in: space, to: places, held)
        if zeroes == 0 { break }
        held += zeroes
      }
    }
    YieldPoint.rangePinBetweenEntriesAndLength.reach()
    list.append(held, section)
    return held == end
  }

  /// Writes the frames of the first entries that `test` accepts, at most `count`, `offset` behind the end of the list.
  /// Returns how many.
  ///
  /// Out of line: what the loop needs is in registers then. A page costs a load, a comparison and a store.
  @inline(never)
  private static func writeFrames(
    from first: Int, of node: TableNode, count: Int, at start: VirtualAddress, _ test: PTETest, in space: AddressSpace,
    to places: PinList.End, _ offset: Int, _ section: RCU.Section
  ) -> Int {
    // Read once. No load may pass the acquiring ones of the loop, so the compiler would read it for each page.
    let frames = space.frames
    for index in 0..<count {
      let ptep = node[first &+ index]
      let leaf = Leaf(ptep, ptep.loadToWalk(), isLowestLevel: true, section)
      guard test.accepts(leaf.pte), space.isNormal(leaf, at: start + index * Page.size) else { return index }
      places.write(frames.frame(leaf.pte.pfn), at: offset + index)
    }
    return count
  }

  /// Whether the page may be held after all: only the mark was in the way, and is cleared.
  ///
  /// ORDERING [first-slot-pin]: as `holdOther`. The frame is written to the list after.
  @inline(never)
  private static func clearsMark(
    of leaf: Leaf, at address: VirtualAddress, _ options: PinOptions, in space: AddressSpace
  ) -> Bool {
    guard leaf.pte.isNeverSlotPinned, options.test.accepts(leaf.pte), space.isNormal(leaf, at: address) else {
      return false
    }
    YieldPoint.slotPinBetweenEntryAndMark.reach()
    return leaf.ptep.replace(leaf.pte, with: leaf.pte.without(PTELayout.neverSlotPinned))
  }

  /// Writes the zero page for each page from `address` on that shows it, `offset` places behind the list's end.
  /// Returns for how many, at most `limit`.
  @inline(never)
  private static func writeZeroes(
    behind leaf: Leaf, at address: VirtualAddress, limit: Int, _ options: PinOptions, in space: AddressSpace,
    to places: PinList.End, _ offset: Int
  ) -> Int {
    let pages = space.zeroPages(behind: leaf, at: address, limit: limit, options)
    for page in 0..<pages { places.write(space.zeroFrame, at: offset + page) }
    return pages
  }
}
