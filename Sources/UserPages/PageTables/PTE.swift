/// A page-table entry: 64 bits, one atomic word in a table, a plain value here.
///
/// What each bit means is at the layout's declaration. The transitions that may happen to an entry, and who makes them:
///
///     empty    -> busy -> present     fault: the first touch
///     present  -> busy -> present     fault: copy-on-write, write-enable, dirty, unshare
///     busy     -> what it was         fault: it lost against an unmap, or found nothing to do
///     present  -> present             protect, fork (write-protect), a load or store that marks accessed or dirty
///     present  -> empty               unmap, dontneed, exit, remap (at its old address)
///     empty    -> present             remap (at its new address), fork (in the child, which nobody else sees yet)
///
/// Nobody but the locker may change a busy entry; all others wait until it is something else. Non-present entries other
/// than `empty` and `busy` hold a swap slot or a migration.
@frozen
public struct PTE: RawRepresentable, Equatable, Sendable {
  public var rawValue: UInt64

  @inlinable public init(rawValue: UInt64) { self.rawValue = rawValue }

  /// Nothing is mapped.
  @inlinable static var empty: PTE { PTE(rawValue: 0) }
  /// Somebody is about to replace the entry: the per-entry lock.
  @inlinable static var busy: PTE { PTE(rawValue: 1 << PTELayout.kindShift) }

  /// An entry that maps `pfn`: present, accessed, read-only, and none of the other bits.
  @inlinable init(mapping pfn: PFN) {
    rawValue = pfn.rawValue << PTELayout.pfnShift
    set(PTELayout.present)
    set(PTELayout.accessed)
  }

  @inlinable @inline(__always) mutating func set(_ bit: PTEBit) { rawValue = rawValue & ~bit.mask | bit.yes }
  @inlinable @inline(__always) mutating func clear(_ bit: PTEBit) { rawValue = rawValue & ~bit.mask | bit.no }
  @inlinable @inline(__always) func has(_ bit: PTEBit) -> Bool { rawValue & bit.mask == bit.yes }

  @inlinable func with(_ bits: PTEBit...) -> PTE {
    var entry = self
    for bit in bits { entry.set(bit) }
    return entry
  }

  @inlinable func without(_ bits: PTEBit...) -> PTE {
    var entry = self
    for bit in bits { entry.clear(bit) }
    return entry
  }

  @inlinable public var isEmpty: Bool { self == .empty }
  @inlinable public var isBusy: Bool { self == .busy }
  /// Whether the walker may use it. A protnone entry is mapped but not present.
  @inlinable public var isPresent: Bool { has(PTELayout.present) }
  @inlinable public var isProtNone: Bool { !isPresent && has(PTELayout.protnone) }
  /// Whether it maps a frame, with whatever permission.
  @inlinable public var isMapped: Bool { isPresent || has(PTELayout.protnone) }
  @inlinable public var isWritable: Bool { has(PTELayout.writable) }
  @inlinable public var isDirty: Bool { has(PTELayout.dirty) }
  @inlinable public var isAccessed: Bool { has(PTELayout.accessed) }
  /// Whether no descriptor may be used for the frame: `vm_normal_page` answers no.
  @inlinable public var isSpecial: Bool { has(PTELayout.special) }
  @inlinable public var isHuge: Bool { has(PTELayout.huge) }
  @inlinable public var isAnonymous: Bool { has(PTELayout.anonymous) }
  /// An anonymous frame that no other address space may map (PageAnonExclusive).
  @inlinable public var isExclusive: Bool { isAnonymous && !has(PTELayout.cowShared) }

  /// The frame number of an entry that is mapped.
  @inlinable @inline(__always) public var pfn: PFN { PFN((rawValue & PTELayout.pfnMask) >> PTELayout.pfnShift) }
}
