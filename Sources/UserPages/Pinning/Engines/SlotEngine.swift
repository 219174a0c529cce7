/// Pins that are a store into a slot of the pinning thread: no lock, no atomic addition, no second look.
///
/// Two pins of one page share no written line. The price is on the other side. An operation that must know whether a
/// frame is held waits for a grace period and scans the slots. A range is a list of frames in one slot (`PinList`).
/// Long-term pins, 2 MiB of a range, and pins that find all slots of their thread taken are references, as
/// `ReferenceEngine` takes them.
///
/// What the rest of the address space owes this engine:
/// - A first touch marks its entry "never slot-pinned" (`markOwn`): the allocator gives out no frame that a slot holds.
/// - The first pin by a slot clears that mark in the entry before it stores the slot (`holdOther`).
/// - An unmap waits for a grace period unless it found the mark (`mayHoldUncounted`).
/// - Fork, frame reuse, page-out, migration and collapse wait for a grace period and scan the slots
///   (`PinSlotSnapshot`).
@frozen @usableFromInline
enum SlotEngine {
  /// Holds the resident page at `address` by a slot of the calling thread, which has the number `thread`.
  ///
  /// Four loads of the descent, and the load and the store of a slot.
  ///
  /// Returns nil if the fast path cannot hold it.
  ///
  /// ORDERING [slot-then-leave]: the slot is stored inside the section that read the entry. See `PinSlot`.
  @inlinable @inline(__always)
  static func hold(
    at address: VirtualAddress, _ options: PinOptions, thread: Int32, in space: AddressSpace
  ) -> HeldFrame? {
    guard address < VirtualAddress.limit else { return nil }
    return RCU.read { section in
      guard let leaf = space.table.leaf(for: address, section) else { return nil }
      guard leaf.isLowestLevel, options.test.refusing(PTELayout.neverSlotPinned).accepts(leaf.pte),
        space.isNormal(leaf, at: address)
      else { return holdOther(leaf, at: address, options, in: space) }
      YieldPoint.pinBetweenEntryAndReference.reach()
      let frame = space.frames.frame(leaf.pte.pfn)
      guard let slot = PinSlot.claim(frame, isPin: !options.contains(.get), thread: thread, section) else {
        return ReferenceEngine.holdOther(leaf, at: address, options, in: space)
      }
      return HeldFrame(frame, space.memory, slot: slot)
    }
  }

  /// Holds the resident page at `address` as `hold` does, if that takes no call. It takes none if the thread is known,
  /// the entry is of the common kind, and the first slot is free. Returns nil otherwise.
  ///
  /// ORDERING [slot-then-leave]: as `hold`.
  @inlinable @inline(__always)
  static func holdAtOnce(at address: VirtualAddress, _ options: PinOptions, thread: Int32, in space: AddressSpace)
    -> HeldFrame?
  {
    guard _fastPath(address < VirtualAddress.limit) else { return nil }
    return RCU.readIfRegistered { section in
      guard let leaf = space.table.leaf(for: address, section), leaf.isLowestLevel,
        _fastPath(options.test.refusing(PTELayout.neverSlotPinned).accepts(leaf.pte)), space.isNormal(leaf, at: address)
      else { return nil }
      YieldPoint.pinBetweenEntryAndReference.reach()
      let frame = space.frames.frame(leaf.pte.pfn)
      guard let slot = PinSlot.claimFirst(frame, isPin: !options.contains(.get), thread: thread, section) else {
        return nil
      }
      return HeldFrame(frame, space.memory, slot: slot)
    }
  }

  /// Holds what `leaf` maps at `address`, which `hold` did not accept. That is a page that no slot ever held, a part of
  /// 2 MiB, the zero page, or one that needs a second comparison. Returns nil if the fast path cannot hold it. Out
  /// of line, so that other pages pay nothing.
  ///
  /// ORDERING [first-slot-pin]: the mark in the entry is cleared first, by one compare-and-swap against what was read,
  /// and the slot is stored after. A writer that clears the entry finds the mark gone and waits for this section, or
  /// this finds the entry changed and holds nothing.
  ///
  /// ORDERING [slot-then-leave]: for a part of 2 MiB the slot has the first frame, the one that a scan asks for.
  @usableFromInline @inline(never)
  static func holdOther(
    _ leaf: Leaf, at address: VirtualAddress, _ options: PinOptions, in space: AddressSpace
  ) -> HeldFrame? {
    guard space.mayHold(leaf, at: address, options), let leaf = space.markedAccessed(leaf) else {
      return holdZeroes(leaf, at: address, options, in: space)
    }
    if leaf.pte.isNeverSlotPinned {
      YieldPoint.slotPinBetweenEntryAndMark.reach()
      guard leaf.ptep.replace(leaf.pte, with: leaf.pte.without(PTELayout.neverSlotPinned)) else {
        return ReferenceEngine.holdOther(leaf.reloaded(), at: address, options, in: space)
      }
    }
    YieldPoint.pinBetweenEntryAndReference.reach()
    let folio = space.frames.frame(leaf.pte.folioPFN)
    guard
      let slot = PinSlot.claim(folio, isPin: !options.contains(.get), thread: ThreadNumber.current, leaf.section)
    else {
      return ReferenceEngine.holdOther(leaf.reloaded(), at: address, options, in: space)
    }
    return HeldFrame(space.frames.frame(leaf.pfn(at: address)), space.memory, slot: slot)
  }

  /// Holds the zero page behind `leaf`, by a slot if one is free. Returns nil if the fast path cannot hold it.
  private static func holdZeroes(
    _ leaf: Leaf, at address: VirtualAddress, _ options: PinOptions, in space: AddressSpace
  ) -> HeldFrame? {
    guard space.zeroPages(behind: leaf, at: address, limit: 1, options) == 1 else { return nil }
    let (frame, isPin, thread) = (space.zeroFrame, !options.contains(.get), ThreadNumber.current)
    guard let slot = PinSlot.claim(frame, isPin: isPin, thread: thread, leaf.section) else {
      return ReferenceEngine.holdZeroFrame(options, in: space)
    }
    return HeldFrame(frame, space.memory, slot: slot)
  }

  // MARK: What other operations ask

  /// A fault installs a new frame as the mapping's own: no slot has ever held it.
  static func markOwn(_ pte: inout PTE) { pte.set(PTELayout.neverSlotPinned) }

  /// Whether a get in a slot holds a frame that copy-on-write found with one reference, behind an entry that is not
  /// exclusive. Then the store must go to a copy, or the holder would see what another program stores (CVE-2020-29374).
  ///
  /// ORDERING [slot-then-leave]: a grace period has passed since a get that matters read its entry. Another space's
  /// entry kept its reference until one had passed. By this entry, when it was exclusive: the fork that shared it
  /// waited for one. A get that reads this entry now meets the store, as one that comes later does: holder and program
  /// see one page.
  static func holdsUncounted(_ folio: Frame, in frames: FrameTable) -> Bool { PinSlot.holds(folio, in: frames) }

  /// Whether a slot may hold the frame behind an entry that was just cleared. The counts do not show such a pin.
  ///
  /// ORDERING [first-slot-pin]: to look at the slots now would not do. A pin that read the entry may store its slot
  /// after that look. It may then see a store by the cleared entry land in its page. With the mark there is no such
  /// pin, and none comes: it would have changed the entry first. No other space ever mapped the frame, since a fork
  /// changes the entry too.
  static func mayHoldUncounted(_ pte: PTE) -> Bool { !pte.isNeverSlotPinned }
}
