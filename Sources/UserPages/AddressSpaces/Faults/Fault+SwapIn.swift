/// Pages in the swap file (`do_swap_page`).
extension Fault {
  /// Maps the page that the site's entry leads to: the cached frame if there is one, else the frame that the fault
  /// read.
  ///
  /// The slot is read while the entry is locked, so it is the entry's own and in use. If the page must be read, the
  /// fault holds the slot before it unlocks the entry. What it then reads outside of the section is this page, whatever
  /// becomes of the entry. Linux looks at the entry again instead, after it has taken the slot.
  ///
  /// An exclusive page is writable at once if the mapping allows it. What else a store needs is for the next attempt.
  @inline(never)
  mutating func handleSwapFault(_ site: FaultSite) -> Outcome {
    guard let slot = site.pte.swapSlot else { return .failed(.busError) }
    if let refusal = site.lock() { return refusal }
    let own = swapped?.slot == slot ? swapped?.frame : nil
    guard case .frame(let pfn) = space.with({ $0.memory.swap.claim(slot, own: own) }) else {
      site.ptep.store(site.pte)
      return .needsSwapped(slot)
    }
    if pfn == own { swapped?.frame = nil }
    let isShared = site.pte.has(PTELayout.cowShared)
    var pte = PTE(mapping: pfn).with(PTELayout.anonymous)
    if isShared { pte.set(PTELayout.cowShared) }
    site.ptep.store(site.finish(pte, writable: !isShared))
    switch access {
    case .read, .forcedRead: return .done
    case .write, .forcedWrite, .unshare: return .again
    }
  }
}

/// A page that a fault has read from the swap file.
struct SwappedPage {
  /// Held, so that no other page gets the slot.
  let slot: SwapSlot
  /// The contents, in a frame that no entry maps yet. Nil when an entry got it.
  var frame: PFN?

  /// Reads a slot that the caller holds. The hold passes to the page, or ends with the error.
  init(reading slot: SwapSlot, in space: AddressSpace, movable: Bool) throws(PageError) {
    YieldPoint.swapInBetweenHoldAndRead.reach()
    let memory = space.memory
    do throws(PageError) {
      let pfn = try space.allocateFrameForFault(movable: movable)
      do throws(PageError) { try memory.swap.read(slot, into: pfn) } catch {
        memory.discardFrame(pfn)
        throw error.ofFault
      }
      YieldPoint.swapInBetweenReadAndMap.reach()
      self.slot = slot
      frame = pfn
    } catch {
      memory.swap.release(hold: slot)
      throw error
    }
  }

  /// Ends the hold, and discards the frame if no entry got it.
  func giveBack(to memory: PhysicalMemory) {
    if let frame { memory.discardFrame(frame) }
    memory.swap.release(hold: slot)
  }
}
