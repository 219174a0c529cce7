/// The first pin by a slot of a page that none held before.
extension AddressSpace {
  /// As `takeSlot`, where the entry is never slot-pinned: says in it that a slot may hold the frame from now on. Inside a section.
  ///
  /// ORDERING [first-slot-pin]: the entry first, the slot after, by one compare-and-swap against what was read. Whoever
  /// takes the entry from the table finds it changed, and waits for this section; or this finds it gone, and takes nothing.
  func takeFirstSlot(_ address: VirtualAddress, _ test: PTETest, isPin: Bool, _ thread: Int32) -> HeldFrame? {
    guard let ptep = table.ptep(for: address) else { return nil }
    let pte = ptep.load()
    guard pte.isNeverSlotPinned, test.accepts(pte), isNormal(pte, at: address, ptep: ptep),
      ptep.replace(pte, with: pte.without(PTELayout.neverSlotPinned))
    else { return nil }
    YieldPoint.pinBetweenEntryAndReference.reach()
    let frame = frames.frame(pte.pfn)
    guard let slot = PinSlot.claim(frame, isPin: isPin, thread: thread) else { return nil }
    return HeldFrame(frame, memory, slot: slot)
  }
}
