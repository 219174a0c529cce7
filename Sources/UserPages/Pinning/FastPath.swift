/// The lockless fast path (`gup_fast`).
extension AddressSpace {
  /// Pins the page that holds `address`, without a lock where it is resident, else by way of the slow path.
  ///
  /// - Throws: `badAddress` where there is no mapping, or none that may be pinned this way; `outOfMemory`; `tryAgain` with
  ///   `fastOnly` where the fast path does not do; `invalidArgument` for options that do not go together.
  /// - Complexity: four loads and one atomic addition for a resident page.
  @inlinable @inline(__always)
  public func pin(at address: VirtualAddress, _ options: PinOptions = []) throws(PageError) -> PinnedPage {
    // The slot engine's question first: what it saves is small enough for the order to show.
    if engine == .slot, !options.contains(.longTerm) {
      // Asked for once, for the slot and for the counter.
      let thread = ThreadNumber.current
      if let held = takeSlot(address, options.test, isPin: !options.contains(.get), thread: thread) {
        counts.add(1, to: Counters.fastIndex, thread: thread)
        return PinnedPage(held)
      }
    }
    if engine != .locked, options.isLegal {
      if let held = takeFast(address, options.test, options.counts) {
        counts.add(1, to: Counters.fastIndex)
        return PinnedPage(held)
      }
    }
    return try pinSlowly(at: address, options)
  }

  /// The reference protocol: read the entry, take the reference, read the entry again.
  ///
  /// ORDERING [pin-then-look]: the addition and the second look are sequentially consistent. Whoever changes the entry looks
  /// at the counts afterwards ([change-then-count]). The frame cannot have been freed in between: the entry's own reference
  /// is dropped only when this section has ended ([deferred-free]).
  @inlinable @inline(__always)
  func takeFast(_ address: VirtualAddress, _ test: PTETest, _ counts: UInt64) -> HeldFrame? {
    guard address < VirtualAddress.limit else { return nil }
    return RCU.read {
      guard let place = table.entry(for: address) else { return takeFastHuge(address, test, counts) }
      let entry = place.load()
      guard test.accepts(entry), isNormal(entry, at: address, place: place) else {
        return takeFastHuge(address, test, counts)
      }
      YieldPoint.pinBetweenEntryAndReference.reach()
      let frame = frames.frame(entry.pfn)
      frame.take(counts)
      YieldPoint.pinBetweenReferenceAndSecondLook.reach()
      guard place.load() == entry else {
        backOut(frame, counts)
        return nil
      }
      return HeldFrame(frame, memory, counts: counts)
    }
  }

  /// The slot protocol: read the entry, store the frame in a slot of this thread, leave the section.
  ///
  /// ORDERING [slot-then-leave]: see `PinSlot`.
  @inlinable @inline(__always)
  func takeSlot(_ address: VirtualAddress, _ test: PTETest, isPin: Bool, thread: Int32) -> HeldFrame? {
    guard address < VirtualAddress.limit else { return nil }
    return RCU.read {
      guard let place = table.entry(for: address) else { return takeSlotHuge(address, test, isPin: isPin, thread) }
      let entry = place.load()
      guard test.accepts(entry), isNormal(entry, at: address, place: place) else {
        return takeSlotHuge(address, test, isPin: isPin, thread)
      }
      YieldPoint.pinBetweenEntryAndReference.reach()
      let frame = frames.frame(entry.pfn)
      guard let slot = PinSlot.take(frame, isPin: isPin, thread: thread) else { return nil }
      return HeldFrame(frame, memory, slot: slot)
    }
  }

  /// Gives back a reference that was taken too late.
  @usableFromInline @inline(never)
  func backOut(_ frame: Frame, _ counts: UInt64) { memory.put(frame, counts) }

  /// Pins the pages of a range, as many as can be, in order.
  ///
  /// - Parameters:
  ///   - address: anywhere in the first page.
  ///   - pages: how many; none are pinned where none are asked for.
  /// - Returns: the pages up to the first that could not be pinned; with `fastOnly` possibly none.
  /// - Throws: what stopped it at the very first page, as for one page, except that `fastOnly` never throws for that;
  ///   `invalidArgument` for a negative count.
  public func pin(
    at address: VirtualAddress, pages: Int, _ options: PinOptions = []
  ) throws(PageError) -> PinnedPages {
    guard pages >= 0, options.isLegal else { throw .invalidArgument }
    var held = HeldFrames(memory, counts: options.counts)
    guard address < VirtualAddress.limit, pages <= Int.max / Page.size else {
      guard pages == 0 || options.contains(.fastOnly) else { throw .badAddress }
      return PinnedPages(held)
    }
    let address = address.pageStart
    held.reserveCapacity(min(pages, 1 << 16))
    if engine != .locked {
      takeFast(address, pages: pages, options.test, into: &held)
      counts.add(UInt64(held.count), to: Counters.fastIndex)
    }
    if held.count < pages, !options.contains(.fastOnly) {
      let error = pinSlowly(from: address, pages: pages, options, into: &held)
      if held.count == 0, let error { throw error }
    }
    return PinnedPages(held)
  }

  /// The reference protocol over a range: one descent for each node of the lowest level, and a section for each 64 pages at
  /// most, so that no grace period waits long. Stops at the first page that does not do.
  private func takeFast(
    _ address: VirtualAddress, pages: Int, _ test: PTETest, into held: inout HeldFrames
  ) {
    while held.count < pages {
      let at = address + held.count * Page.size
      let first = TableNode.index(of: at, level: 1)
      let wanted = min(pages - held.count, TableNode.entryCount - first, 64)
      guard at < VirtualAddress.limit else { return }
      let before = held.count
      let counts = held.counts
      var isHuge = false
      RCU.read {
        guard let node = table.lowestNode(for: at) else {
          isHuge = takeFastRun(at, pages: pages - held.count, test, into: &held)
          return
        }
        for index in first..<first + wanted {
          let place = node[index]
          let entry = place.load()
          let at = address + held.count * Page.size
          guard test.accepts(entry), isNormal(entry, at: at, place: place) else {
            // A part of a 2 MiB frame counts for itself alone here: its neighbours may be anybody's.
            guard let part = takeFastHuge(at, test, counts) else { return }
            held.append(run: part.frame, count: 1)
            continue
          }
          let frame = frames.frame(entry.pfn)
          frame.take(counts)
          // ORDERING [pin-then-look]: as for a single page.
          guard place.load() == entry else { return backOut(frame, counts) }
          held.append(frame)
        }
      }
      if !isHuge, held.count < before + wanted { return }
    }
  }
}
