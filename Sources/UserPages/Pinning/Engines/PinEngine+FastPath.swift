/// The fast path of a pin, by the engine of the space. The engine is a constant of the space, and every way is inlined.
///
/// Engine `locked` has none: each pin is slow.
extension PinEngine {
  /// Holds the resident page at `address` and counts the event. Returns nil if the fast path cannot hold it.
  @inlinable @inline(__always)
  func hold(at address: VirtualAddress, _ options: PinOptions, in space: AddressSpace) -> HeldFrame? {
    // The slot engine's test comes first: the pin is cheap enough for the order to show.
    if self == .slot, !options.contains(.longTerm) {
      // Read once, for the slot and for the counter.
      let thread = ThreadNumber.current
      guard let held = SlotEngine.hold(at: address, options, thread: thread, in: space) else { return nil }
      space.events.add(1, to: Counters.fastIndex, thread: thread)
      return held
    }
    guard hasFastPath, options.isLegal else { return nil }
    // Read before: what is read behind the atomic addition waits for it.
    let events = space.events
    guard let held = ReferenceEngine.hold(at: address, options, in: space) else { return nil }
    events.add(1, to: Counters.fastIndex)
    return held
  }

  /// Holds the resident page at `address` as `hold` does, if that takes no call. Returns nil otherwise.
  @inlinable @inline(__always)
  func holdAtOnce(at address: VirtualAddress, _ options: PinOptions, in space: AddressSpace) -> HeldFrame? {
    let thread = ThreadNumber.known
    guard _fastPath(self == .slot), !options.contains(.longTerm),
      let held = SlotEngine.holdAtOnce(at: address, options, thread: thread, in: space)
    else { return nil }
    space.events.add(1, to: Counters.fastIndex, thread: thread)
    return held
  }

  /// Holds the first pages of a range in a list, as many as one can hold. Returns nil if that is none.
  @inline(__always)
  func holdList(from start: VirtualAddress, pages: Int, _ options: PinOptions, in space: AddressSpace) -> PinList? {
    guard self == .slot, !options.contains(.longTerm) else { return nil }
    return SlotEngine.hold(from: start, pages: pages, options, in: space)
  }
}
