/// The lockless fast path (`gup_fast`).
extension AddressSpace {
  /// Pins the page that holds `address`, without a lock where it is resident, else by way of the slow path.
  ///
  /// - Throws: `badAddress` where there is no mapping, or none that may be pinned this way; `outOfMemory`; `tryAgain` with
  ///   `fastOnly` where the fast path does not do; `invalidArgument` for options that do not go together.
  /// - Complexity: four loads and one atomic addition for a resident page.
  @inlinable @inline(__always)
  public func pin(at address: VirtualAddress, _ options: PinOptions = []) throws(PageError) -> PinnedPage {
    if engine == .reference, options.isLegal, let frame = takeFast(address, options.test, options.counts) {
      counts.add(1, to: Counters.fastIndex)
      return PinnedPage(HeldFrame(frame, memory, counts: options.counts))
    }
    return try pinSlowly(at: address, options)
  }

  /// The reference protocol: read the entry, take the reference, read the entry again.
  ///
  /// ORDERING [pin-then-look]: the addition and the second look are sequentially consistent. Whoever changes the entry looks
  /// at the counts afterwards ([change-then-count]). The frame cannot have been freed in between: the entry's own reference
  /// is dropped only when this section has ended ([deferred-free]).
  @inlinable @inline(__always)
  func takeFast(_ address: VirtualAddress, _ test: PTETest, _ counts: UInt64) -> Frame? {
    guard address < VirtualAddress.limit else { return nil }
    return RCU.read {
      guard let place = table.entry(for: address) else { return nil }
      let entry = place.load()
      guard test.accepts(entry) else { return nil }
      YieldPoint.pinBetweenEntryAndReference.reach()
      let frame = frames.frame(entry.pfn)
      frame.take(counts)
      YieldPoint.pinBetweenReferenceAndSecondLook.reach()
      guard place.load() == entry else {
        backOut(frame, counts)
        return nil
      }
      return frame
    }
  }

  /// Gives back a reference that was taken too late.
  @usableFromInline @inline(never)
  func backOut(_ frame: Frame, _ counts: UInt64) { memory.put(frame, counts) }

  /// Pins the pages of a range, as many as can be, in order.
  ///
  /// - Parameters:
  ///   - address: page-aligned.
  ///   - pages: at least one.
  /// - Returns: the pages up to the first that could not be pinned; with `fastOnly` possibly none.
  /// - Throws: what stopped it at the very first page, as for one page, except that `fastOnly` never throws for that;
  ///   `invalidArgument` for an empty or unaligned range.
  public func pin(
    at address: VirtualAddress, pages: Int, _ options: PinOptions = []
  ) throws(PageError) -> PinnedPages {
    guard address.isPageAligned, pages > 0, options.isLegal else { throw .invalidArgument }
    guard address < VirtualAddress.limit, pages <= Int.max / Page.size else { throw .badAddress }
    var held: [HeldFrame] = []
    held.reserveCapacity(min(pages, 1 << 16))
    if engine != .locked {
      let test = options.test
      while held.count < pages, let frame = takeFast(address + held.count * Page.size, test, options.counts) {
        held.append(HeldFrame(frame, memory, counts: options.counts))
      }
      counts.add(UInt64(held.count), to: Counters.fastIndex)
    }
    if held.count == pages || options.contains(.fastOnly) { return PinnedPages(held) }
    let error = pinSlowly(from: address, pages: pages, options, into: &held)
    if held.isEmpty, let error { throw error }
    return PinnedPages(held)
  }
}
