/// Whether a page that a page-out has taken out leaves memory.
extension SwapArea {
  /// What a page-out finds about a frame a grace period later.
  enum Verdict {
    /// A fault took the page back, or an unmap gave it up. The slot is held no more. The caller has the reference.
    case gone
    /// Another entry or a pin has the frame. The caller still holds the slot and has the reference.
    case stays
    /// Other entries map the frame, or gets have it. The entry leads to the slot from now on, and the frame stays in
    /// the cache until the others are gone. The slot is not held any more, the reference is given up.
    case left
    /// The same, and a get in a pin slot has the frame. The caller has the reference, and gives it up by way of the
    /// deferred frees. It falls when the get has ended. Until then `trim` keeps the frame.
    case leftToSlot
    /// The frame is the writer's, or free already. The slot is not held any more, and the reference is given up.
    case out
  }

  /// Decides whether a frame leaves memory, a grace period after its entry was replaced.
  ///
  /// ORDERING [change-then-count]: the entry was replaced, the references are looked at now: the cache's and the
  /// caller's, or more. A pin that is not among them will find the entry changed, and back out.
  ///
  /// - Parameters:
  ///   - holder: what the pin slots have of the frame, looked at after the grace period.
  ///   - leavesShared: whether the frame may be left to other entries. It need not be right: it stays in the cache.
  ///   - leavesGot: the same for gets, and for references that wait for a grace period.
  func decide(
    _ slot: SwapSlot, _ pfn: PFN, holder: PinSlotSnapshot.Holder?, leavesShared: Bool = false, leavesGot: Bool = false
  ) -> Verdict {
    let (verdict, freed) = monitor.locked { () -> (Verdict, PFN?) in
      guard slots[slot.index].frame == pfn else {
        unhold(slot)
        return (.gone, nil)
      }
      let frame = frames.frame(pfn)
      let references = frame.references
      if holder != nil || references > 2 {
        markIdle(slot)
        let mapCount = frame.mapCount
        let isGot = holder != nil || references - 2 > mapCount
        // As on Linux a pin keeps the page mapped (`folio_maybe_dma_pinned`), and a get does not.
        guard holder != .pin, frame.pins == 0, leavesShared || mapCount == 0, leavesGot || !isGot else {
          return (.stays, nil)
        }
        if holder != nil {
          unhold(slot)
          return (.leftToSlot, nil)
        }
        // Not the last reference: the cache has one.
        _ = frame.put(Frame.oneReference)
        unhold(slot)
        return (.left, nil)
      }
      _ = frame.put(Frame.oneReference)
      // What a device wrote is on its way to the file with the rest.
      frame.clear(Frame.dirtyBit)
      var freed: PFN?
      if slots[slot.index].isWritten {
        freed = uncacheIfOnly(slot)
        if freed == nil { markIdle(slot) }
      } else {
        enqueue(slot)
      }
      unhold(slot)
      return (.out, freed)
    }
    freeFrame(freed)
    return verdict
  }
}
