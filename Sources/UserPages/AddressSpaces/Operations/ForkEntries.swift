/// What a fork gives the child for each entry of the parent.
///
/// It is the same entry and one more reference, or a copy of a pinned page.
///
/// The parent's mapping is write-locked, its exclusive pages are write-protected, and a grace period has passed
/// (`Fork.swift`).
extension AddressSpace {
  /// Gives the child the parent's entries of a mapping. A reverse map may know the child, and waits for its lock.
  func copyEntries(
    of mapping: VMATree.Mapping, to child: AddressSpace, _ pins: PinsAtFork, _ writer: borrowing MmapWriter,
    _ childWriter: borrowing MmapWriter
  ) throws(PageError) {
    var spare = SpareNodes(memory)
    var cursor = table.cursor(over: mapping.value.range, writer)
    while let step = cursor.next() {
      switch step {
      case .huge(let span):
        if try !copyHuge(span, of: mapping, to: child, pins, using: &spare, writer, childWriter) {
          cursor.lookAgain()
        }
      case .base(let run):
        try copyRun(run, of: mapping, to: child, pins, using: &spare, childWriter)
      }
    }
  }

  /// Gives the child the entries of one node of the lowest level.
  ///
  /// A function of its own, into which `copyEntry` is inlined: the loop is most of a fork's time, and keeps its values
  /// in registers.
  @inline(never)
  private func copyRun(
    _ run: TableCursor.BaseRun, of mapping: VMATree.Mapping, to child: AddressSpace, _ pins: PinsAtFork,
    using spare: inout SpareNodes, _ childWriter: borrowing MmapWriter
  ) throws(PageError) {
    // Also for a node without a page, as on Linux: only where there is one, 2 MiB can be collapsed.
    try spare.reserve()
    let node = child.makeNode(for: run.start, using: &spare, childWriter)
    for (address, ptep) in run {
      // A fault may hold an entry for a moment before it finds the mapping write-locked.
      let pte = ptep.waitUntilUnlocked()
      guard pte.isMapped || pte.isSwapped || pte.isGuard else { continue }
      let target = node[TableNode.index(of: address, level: 1)]
      try copyEntry(pte, ptep, at: address, of: mapping, to: target, pins)
    }
  }

  /// Gives the child one entry of the lowest level.
  @inline(__always)
  private func copyEntry(
    _ pte: PTE, _ ptep: PTEPointer, at address: VirtualAddress, of mapping: VMATree.Mapping, to target: PTEPointer,
    _ pins: PinsAtFork
  ) throws(PageError) {
    guard pte.isMapped else { return target.storeUnseen(pte.isGuard ? pte : shareSwapped(pte, at: ptep)) }
    guard isNormal(pte, at: address, in: mapping) else { return target.store(pte) }
    guard pte.isAnonymous else {
      try retainForEntry(pte)
      return target.store(pte)
    }
    guard pins.isPinned(pte, at: address) else {
      try retainForEntry(pte)
      return target.storeUnseen(pte)
    }
    // The page was exclusive until this fork, and becomes so again. Not by a plain store: a fault may hold the entry
    // until it finds the mapping write-locked, and would undo it.
    defer { _ = ptep.update { _ in exclusiveAgain(pte, mapping: mapping) } }
    target.storeUnseen(try copyPinned(pte, mapping: mapping))
  }

  /// Gives the child an entry that maps 2 MiB. If the frame is pinned, splits the entry, so that each page is copied by
  /// itself. Returns false if there is no such entry any more.
  private func copyHuge(
    _ span: TableCursor.HugeSpan, of mapping: VMATree.Mapping, to child: AddressSpace, _ pins: PinsAtFork,
    using spare: inout SpareNodes, _ writer: borrowing MmapWriter, _ childWriter: borrowing MmapWriter
  ) throws(PageError) -> Bool {
    let pte = span.ptep.waitUntilUnlocked()
    guard pte.mapsHuge else { return false }
    // Before the entry is counted.
    try spare.reserve()
    if isNormal(pte, at: span.range.lowerBound, in: mapping) {
      let folio = frames.frame(pte.pfn)
      // ORDERING [change-then-count]: as for a page.
      if pte.isAnonymous, pins.isPinned(folio) {
        split(span, in: mapping, writer.reader)
        return false
      }
      guard folio.retain(Frame.oneReference), folio.addHugeMapping() else { throw memory.undoRetain(folio) }
    }
    // The child has no program yet: no fault has linked a node there.
    child.makeHugeEntry(for: span.range.lowerBound, using: &spare, childWriter)?.store(pte)
    return true
  }

  /// Counts one more entry of the lowest level that maps what `pte` does.
  ///
  /// - Throws: `outOfMemory` if the frame has too many references.
  @inline(__always)
  private func retainForEntry(_ pte: PTE) throws(PageError) {
    try memory.retain(frames.frame(pte.folioPFN))
    frames.frame(pte.pfn).addMapping()
  }

  /// A child's own copy of a page that is pinned in the parent.
  @inline(never)
  private func copyPinned(_ pte: PTE, mapping: VMATree.Mapping) throws(PageError) -> PTE {
    let pfn = try memory.allocateFrame(.underLock, movable: true)
    frames.bytes(of: pfn).copy(page: frames.bytes(of: pte.pfn))
    frames.frame(pfn).begin(anonymous: true, mapped: true)
    events.add(1, to: Counters.copyIndex)
    YieldPoint.forkBetweenCopyAndRestore.reach()
    // Dirty, whatever the parent's entry is: the copy has contents, and no mark of the original (`copy_present_page`).
    return exclusiveAgain(pte.mapping(pfn).without(PTELayout.huge).with(PTELayout.dirty), mapping: mapping)
  }
}
