/// The first pin by a slot of a page that none held before.
extension AddressSpace {
  /// As `takeSlot`, where the entry is untaken: says in it that a slot may hold the frame from now on. Inside a section.
  ///
  /// ORDERING [untaken-then-slot]: the entry first, the slot after, by one compare-and-swap against what was read. Whoever
  /// takes the entry from the table finds it changed, and waits for this section; or this finds it gone, and takes nothing.
  func takeFirstSlot(_ address: VirtualAddress, _ test: PTETest, isPin: Bool, _ thread: Int32) -> HeldFrame? {
    guard let place = table.entry(for: address) else { return nil }
    let entry = place.load()
    guard entry.isUntaken, test.accepts(entry), isNormal(entry, at: address, place: place),
      place.replace(entry, with: entry.without(PTELayout.untaken))
    else { return nil }
    YieldPoint.pinBetweenEntryAndReference.reach()
    let frame = frames.frame(entry.pfn)
    guard let slot = PinSlot.take(frame, isPin: isPin, thread: thread) else { return nil }
    return HeldFrame(frame, memory, slot: slot)
  }
}
