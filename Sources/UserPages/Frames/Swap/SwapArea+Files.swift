/// Pages of memory files. The place in a file's index is the one user of its slot.
///
/// While a place has a slot, the slot counts it. Both change together under the monitor. So a place that is found to
/// have a slot under the monitor has that slot's page. A thread that found it without the monitor looks again.
extension SwapArea {
  /// What a look-up gets for a page in a place that has a slot.
  enum PageClaim {
    /// The frame, which the place has again, with a reference for the caller.
    case frame(PFN)
    /// The page must be read first. The caller holds the slot.
    case unread
    /// The place has something else by now.
    case lost
  }

  /// Takes a page back into its place. The place gets the swap cache's reference.
  ///
  /// - Parameter own: a frame that no other thread knows, with the slot's contents. It is used if none is cached. The
  ///   caller holds the slot then, and does so still when the call returns.
  func claim(_ slot: SwapSlot, ofPage page: Int, in index: PageCacheIndex, own: PFN? = nil) -> PageClaim {
    monitor.locked {
      guard index.slot(at: page) == slot else { return .lost }
      guard let pfn = slots[slot.index].frame ?? own else {
        slots[slot.index].holds += 1
        return .unread
      }
      if slots[slot.index].frame == nil { frames.frame(pfn).begin(anonymous: false, mapped: false) }
      // The caller's, before another thread can find and drop the frame.
      frames.frame(pfn).addReferences(1)
      _ = index.replace(slot, with: pfn, at: page)
      slots[slot.index].users -= 1
      forgetFrame(slot)
      freeIfUnused(slot)
      return .frame(pfn)
    }
  }

  /// Gives up the page of a place that has a slot: the place is empty then. Returns false if it has something else.
  func drop(_ slot: SwapSlot, ofPage page: Int, in index: PageCacheIndex) -> Bool {
    let (isDropped, freed) = monitor.locked { () -> (Bool, PFN?) in
      guard index.replace(slot, with: nil, at: page) else { return (false, nil) }
      slots[slot.index].users -= 1
      let freed = uncache(slot)
      freeIfUnused(slot)
      return (true, freed)
    }
    freeFrame(freed, isNeeded: false)
    return isDropped
  }
}
