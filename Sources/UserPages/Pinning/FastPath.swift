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
        events.add(1, to: Counters.fastIndex, thread: thread)
        return PinnedPage(held)
      }
    } else if engine != .locked, options.isLegal {
      if let frame = takeFast(address, options.test, options.counts) {
        events.add(1, to: Counters.fastIndex)
        return PinnedPage(HeldFrame(frame, memory, counts: options.counts))
      }
    }
    return try pinOtherwise(at: address, options)
  }

  /// What is left to do for a page that the ordinary fast path would not have: the first pin by a slot, a huge page, a
  /// reference where all slots are taken; or the slow path.
  @usableFromInline @inline(never)
  func pinOtherwise(at address: VirtualAddress, _ options: PinOptions) throws(PageError) -> PinnedPage {
    if engine != .locked, options.isLegal, address < VirtualAddress.limit {
      let held = RCU.read { () -> HeldFrame? in
        if engine == .slot, !options.contains(.longTerm) {
          let (isPin, thread) = (!options.contains(.get), ThreadNumber.current)
          let held =
            takeFirstSlot(address, options.test, isPin: isPin, thread)
            ?? takeSlotHuge(address, options.test, isPin: isPin, thread)
          if let held { return held }
          if let frame = takeFastInSection(address, options.test, options.counts) {
            return HeldFrame(frame, memory, counts: options.counts)
          }
        }
        return takeFastWritable(address, options) ?? takeFastHuge(address, options.test, options.counts)
      }
      if let held {
        events.add(1, to: Counters.fastIndex)
        return PinnedPage(held)
      }
    }
    return try pinSlowly(at: address, options)
  }

  /// A long-term pin for reading where the entry is writable: whatever it maps, pin and program will see one page. Inside a
  /// section.
  ///
  /// `PTETest.pin` makes one comparison, and so asks such pins for anonymous memory alone.
  func takeFastWritable(_ address: VirtualAddress, _ options: PinOptions) -> HeldFrame? {
    guard options.contains(.longTerm), !options.contains(.write) else { return nil }
    let test = options.union(.write).test
    if let frame = takeFastInSection(address, test, options.counts) {
      return HeldFrame(frame, memory, counts: options.counts)
    }
    return takeFastHuge(address, test, options.counts)
  }

  /// The reference protocol: read the entry, take the reference, read the entry again.
  ///
  /// ORDERING [pin-then-look]: the addition and the second look are sequentially consistent. Whoever changes the entry looks
  /// at the counts afterwards ([change-then-count]). The frame cannot have been freed in between: the entry's own reference
  /// is dropped only when this section has ended ([deferred-free]).
  @inlinable @inline(__always)
  func takeFast(_ address: VirtualAddress, _ test: PTETest, _ counts: UInt64) -> Frame? {
    guard address < VirtualAddress.limit else { return nil }
    return RCU.read { takeFastInSection(address, test, counts) }
  }

  @inlinable @inline(__always)
  func takeFastInSection(_ address: VirtualAddress, _ test: PTETest, _ counts: UInt64) -> Frame? {
    guard let ptep = table.ptep(for: address) else { return nil }
    let pte = ptep.load()
    guard test.accepts(pte), isNormal(pte, at: address, ptep: ptep) else { return nil }
    YieldPoint.pinBetweenEntryAndReference.reach()
    let frame = frames.frame(pte.pfn)
    frame.retain(counts)
    YieldPoint.pinBetweenReferenceAndSecondLook.reach()
    guard ptep.load() == pte else {
      backOut(frame, counts)
      return nil
    }
    return frame
  }

  /// The slot protocol: read the entry, store the frame in a slot of this thread, leave the section.
  ///
  /// ORDERING [slot-then-leave]: see `PinSlot`. Who took the entry from the table waits for that grace period only where it
  /// is not never slot-pinned.
  @inlinable @inline(__always)
  func takeSlot(_ address: VirtualAddress, _ test: PTETest, isPin: Bool, thread: Int32) -> HeldFrame? {
    guard address < VirtualAddress.limit else { return nil }
    return RCU.read {
      guard let ptep = table.ptep(for: address) else { return nil }
      let pte = ptep.load()
      guard test.refusing(PTELayout.neverSlotPinned).accepts(pte), isNormal(pte, at: address, ptep: ptep) else {
        return nil
      }
      YieldPoint.pinBetweenEntryAndReference.reach()
      let frame = frames.frame(pte.pfn)
      guard let slot = PinSlot.claim(frame, isPin: isPin, thread: thread) else { return nil }
      return HeldFrame(frame, memory, slot: slot)
    }
  }

  /// Gives back a reference that was taken too late.
  @usableFromInline @inline(never)
  func backOut(_ frame: Frame, _ counts: UInt64) { memory.put(frame, counts) }
}
