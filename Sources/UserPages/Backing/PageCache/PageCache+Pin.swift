/// Pins of pages straight from the cache, without a mapping: what a buffer manager calls `pin` or `fix`.
extension PageCache {
  /// Pins a page for reading: its frame stays in memory, and holds what the file shows, until the pin ends.
  ///
  /// A hit takes no lock. By a slot it writes no line that two threads share. The evictor leaves the page alone.
  /// `write` changes the frame in place. After a truncation or `invalidate` the pin keeps the old frame, which the
  /// cache has forgotten.
  ///
  /// Use `AddressSpace.pin` for a page that a mapping shows.
  ///
  /// - Parameters:
  ///   - page: of the file, from 0.
  ///   - bySlot: whether a slot of the calling thread holds the page if it has a free one. Otherwise the frame's counts
  ///     do.
  /// - Throws: what the store threw, or one of these.
  ///   - `busError` beyond the end.
  ///   - `outOfMemory` if no frame can be freed.
  ///   - `busy` inside a call of the store, for a page that is not there.
  /// - Precondition: not inside a read-side section.
  public func pin(page: Int, bySlot: Bool = true) throws(PageError) -> PinnedPage {
    guard page >= 0, page < pageCount else { throw .busError }
    if bySlot, let held = holdInSlot(page) { return PinnedPage(held, isWritable: false) }
    let frame = memory.frames.frame(try frame(of: page))
    // Beside the reference: so the evictor knows without a grace period that the page stays.
    _ = frame.retain(Frame.onePin)
    return PinnedPage(HeldFrame(frame, memory, counts: Frame.oneReference + Frame.onePin), isWritable: false)
  }

  /// Holds a page that is in memory in a slot of the calling thread. Returns nil if the page is not there, if the next
  /// window of its stream is to be read, or if no slot is free. The path that takes a reference handles those cases.
  ///
  /// ORDERING [slot-then-leave]: as (g) and (k), with a slot in the place of a reference. The page was `present` inside
  /// this section, before (e1), so (e3) waits for the section and (e4) sees the slot. A later look-up finds `evicting`
  /// and rescues the page. A truncation gives the cache's reference up by way of the deferred queue, which looks at the
  /// slots after a grace period.
  private func holdInSlot(_ page: Int) -> HeldFrame? {
    let thread = ThreadNumber.current
    return RCU.read { section -> HeldFrame? in
      while true {
        let state = states[page]
        guard let pfn = state.pfn, !state.isTrigger else { return nil }
        let used = state.used.with(PageState.referencedMark)
        if state != used {
          guard states.replace(state, with: used, at: page) else { continue }
        }
        YieldPoint.cacheBetweenLookAndReference.reach()
        let frame = memory.frames.frame(pfn)
        guard let slot = PinSlot.claim(frame, isPin: true, thread: thread, section) else { return nil }
        return HeldFrame(frame, memory, slot: slot)
      }
    }
  }
}
