/// A page-table entry: 64 bits, one atomic word in a table, a plain value here.
///
/// What each bit means is at the layout's declaration. The transitions that may happen to an entry, and what makes
/// them:
///
///     empty    -> busy -> present     fault: the first touch
///     present  -> busy -> present     fault: copy-on-write, write-enable, dirty, unshare
///     present  -> busy -> empty       fault: a store to a frame number by a read-only entry, so that the backing is asked anew
///     busy     -> what it was         fault: an unmap detached the mapping, or there is nothing to do
///     present  -> present             protect, fork and write-back (write-protect), a load, store or pin that marks accessed or
///                                     dirty, a scan that clears accessed, the first pin by a slot (no longer neverSlotPinned)
///     present  -> empty               unmap, dontneed, exit, remap (at its old address); by the reverse map: eviction,
///                                     truncation, a hole, migration of an image's page
///     empty    -> present             remap (at its new address), fork (in the child, which no other thread finds yet)
///     present  -> swap                page-out
///     present  -> migration -> empty  page-out of a lazily freed page; or back to present, if it is held
///     swap     -> busy -> present     fault: swap-in; a page-out that finds its page in use
///     swap     -> swap                fork (no longer exclusive)
///     swap     -> empty               as present -> empty
///     empty    -> swap                as empty -> present
///     present  -> migration           break-up of a huge frame, move out of a movable frame: no access and no pin meanwhile, under
///                                     the mmap lock
///     migration -> present            the same, when it is done or has failed; of a break-up, a part that is all zeroes shows the
///                                     zero page
///     migration -> empty, guard       dontneed, guard-install: while a page-out drops a lazily freed page
///     empty, present, swap -> guard   guard-install
///     guard    -> empty               guard-remove, unmap, exit, remap (at its old address)
///     empty    -> guard               also remap (at its new address), fork (in the child)
///
/// An entry of the second-lowest level may map 2 MiB: it is a huge entry, and all of the above holds for it. Besides,
/// there:
///
///     empty    -> link                fault, remap, fork: a node of the lowest level
///     huge     -> busy -> link        split: the node's 512 entries map what the entry did
///     link     -> migration -> huge   collapse: the contents of the node's pages are copied to 2 MiB
///     link     -> migration -> link   collapse: failed, because a page is pinned or got
///     link     -> migration -> empty  table reclaim after dontneed; or back to link, if a fault has installed an entry
///     link     -> empty               the node is unlinked: nothing is mapped in its span
///
/// Only the thread that locked an entry may change a busy one. Others wait until it is something else. Non-present
/// entries other than `empty` and `busy` hold a swap slot (see `PTE+Swap.swift`), a migration or a guard marker.
///
/// `NormalPage.swift` says which entries are special.
@frozen @usableFromInline
struct PTE: RawRepresentable, Equatable, Sendable {
  @usableFromInline var rawValue: UInt64

  @inlinable init(rawValue: UInt64) { self.rawValue = rawValue }

  /// Nothing is mapped. The zero word in every layout: nodes come zeroed.
  @inlinable static var empty: PTE { PTE(rawValue: 0) }
  /// Locked: the thread that stored it is about to replace the entry.
  @inlinable static var busy: PTE { PTE(.busy, payload: 0) }

  /// An entry that maps `pfn`: present, accessed, read-only, and none of the other bits.
  @inlinable init(mapping pfn: PFN) {
    rawValue = pfn.rawValue << PTELayout.pfnShift
    set(PTELayout.present)
    set(PTELayout.accessed)
    clear(PTELayout.writable)
  }

  @inlinable @inline(__always) mutating func set(_ bit: PTEBit) { rawValue = rawValue & ~bit.mask | bit.yes }
  @inlinable @inline(__always) mutating func clear(_ bit: PTEBit) { rawValue = rawValue & ~bit.mask | bit.no }
  @inlinable @inline(__always) func has(_ bit: PTEBit) -> Bool { rawValue & bit.mask == bit.yes }

  @inlinable @inline(__always) func with(_ bit: PTEBit) -> PTE {
    var pte = self
    pte.set(bit)
    return pte
  }

  @inlinable @inline(__always) func with(_ first: PTEBit, _ second: PTEBit) -> PTE { with(first).with(second) }

  @inlinable @inline(__always) func without(_ bit: PTEBit) -> PTE {
    var pte = self
    pte.clear(bit)
    return pte
  }

  @inlinable @inline(__always) func without(_ first: PTEBit, _ second: PTEBit) -> PTE { without(first).without(second) }

  // More at a time come as arrays: not for hot paths.
  func with(_ bits: PTEBit...) -> PTE { bits.reduce(self) { $0.with($1) } }
  func without(_ bits: PTEBit...) -> PTE { bits.reduce(self) { $0.without($1) } }

  /// The same entry for another frame.
  func mapping(_ pfn: PFN) -> PTE {
    PTE(rawValue: rawValue & ~PTELayout.pfnMask | pfn.rawValue << PTELayout.pfnShift)
  }

  /// A mapped entry that permits nothing, and one that permits loads again.
  var withoutAccess: PTE { without(PTELayout.present, PTELayout.writable).with(PTELayout.protnone) }
  var withAccess: PTE { isProtNone ? without(PTELayout.protnone).with(PTELayout.present) : self }

  @inlinable var isEmpty: Bool { self == .empty }
  @inlinable var isBusy: Bool { self == .busy }
  /// Whether accesses and pins may use it. A protnone entry is mapped but not present.
  @inlinable var isPresent: Bool { has(PTELayout.present) }
  @inlinable var isProtNone: Bool { !isPresent && has(PTELayout.protnone) }
  /// Whether it maps a frame, with whatever permission. The properties below mean something only if it does.
  @inlinable var isMapped: Bool { isPresent || has(PTELayout.protnone) }
  @inlinable var isWritable: Bool { has(PTELayout.writable) }
  @inlinable var isDirty: Bool { has(PTELayout.dirty) }
  @inlinable var isAccessed: Bool { has(PTELayout.accessed) }
  /// At the second-lowest level: it maps 2 MiB. At the lowest: it maps a part of a 2 MiB frame, which counts as a
  /// whole.
  @inlinable var isHuge: Bool { has(PTELayout.huge) }
  @inlinable var isAnonymous: Bool { has(PTELayout.anonymous) }
  /// An anonymous frame that no other address space may map (PageAnonExclusive).
  @inlinable var isExclusive: Bool { isAnonymous && !has(PTELayout.cowShared) }

  /// An exclusive anonymous frame that this entry has mapped from its first fault on, and that no pin slot ever held.
  ///
  /// The first pin by a slot clears the bit before it stores the slot. Base pages only. The bit is clear if the frame's
  /// history is unknown.
  @inlinable var isNeverSlotPinned: Bool { has(PTELayout.neverSlotPinned) }

  /// Whether an entry of the second-lowest level maps 2 MiB: it is not a link, not empty and not locked. Of an entry of
  /// the lowest level it says only that the entry maps a part. `Leaf.mapsHuge` tells the levels apart.
  @inlinable var mapsHuge: Bool { isMapped && isHuge }

  /// The frame with the counts for the frame of an entry that is mapped and not special.
  @usableFromInline var folioPFN: PFN { isHuge ? pfn.hugeStart : pfn }
  /// The first frame of the 2 MiB of private memory that the entry maps, whole or a part of it, or nil.
  var privateHugePFN: PFN? { isHuge && isAnonymous ? pfn.hugeStart : nil }

  /// The frame number of an entry that is mapped.
  @inlinable @inline(__always) var pfn: PFN { PFN((rawValue & PTELayout.pfnMask) >> PTELayout.pfnShift) }
}

/// Entries that map nothing and are not empty.
extension PTE {
  /// What such an entry is: up to fifteen kinds have room.
  @frozen @usableFromInline
  enum NonPresentKind: UInt64, CaseIterable {
    /// Locked. No payload.
    case busy = 1
    /// Written out. The payload is the place.
    case swap = 2
    /// Replaced for a while by an operation that holds the mmap lock: for reading in a page-out, for writing in all
    /// others. The payload is the frame's number, or nothing.
    case migration = 3
    /// No fault fills it: an access is refused (PTE_MARKER_GUARD). No payload.
    case guardMarker = 4
  }

  static var guardMarker: PTE { PTE(.guardMarker, payload: 0) }

  var isGuard: Bool { self == .guardMarker }

  @inlinable init(_ kind: NonPresentKind, payload: UInt64) {
    rawValue = PTELayout.nonPresent | kind.rawValue << PTELayout.kindShift | payload << PTELayout.pfnShift
  }

  /// The kind of an entry that maps nothing and is not empty. It is nil if the entry maps a page, links a node, or is
  /// empty.
  var nonPresentKind: NonPresentKind? {
    guard !isMapped, rawValue & PTELayout.nonPresent == PTELayout.nonPresent else { return nil }
    return NonPresentKind(rawValue: rawValue >> PTELayout.kindShift & 0xf)
  }

  /// What goes with a kind.
  var payload: UInt64 { pfn.rawValue }
}
