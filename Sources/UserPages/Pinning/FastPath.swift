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
      if let frame = takeFast(address, options.test, options.counts) {
        counts.add(1, to: Counters.fastIndex)
        return PinnedPage(HeldFrame(frame, memory, counts: options.counts))
      }
    }
    return try pinOtherwise(at: address, options)
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
      guard test.accepts(entry), isNormal(entry, at: address, place: place) else { return nil }
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

  /// The slot protocol: read the entry, store the frame in a slot of this thread, leave the section.
  ///
  /// ORDERING [slot-then-leave]: see `PinSlot`.
  @inlinable @inline(__always)
  func takeSlot(_ address: VirtualAddress, _ test: PTETest, isPin: Bool, thread: Int32) -> HeldFrame? {
    guard address < VirtualAddress.limit else { return nil }
    return RCU.read {
      guard let place = table.entry(for: address) else { return nil }
      let entry = place.load()
      guard test.accepts(entry), isNormal(entry, at: address, place: place) else { return nil }
      YieldPoint.pinBetweenEntryAndReference.reach()
      let frame = frames.frame(entry.pfn)
      guard let slot = PinSlot.take(frame, isPin: isPin, thread: thread) else { return nil }
      return HeldFrame(frame, memory, slot: slot)
    }
  }

  /// Gives back a reference that was taken too late.
  @usableFromInline @inline(never)
  func backOut(_ frame: Frame, _ counts: UInt64) { memory.put(frame, counts) }
}
