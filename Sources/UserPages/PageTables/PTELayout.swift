/// Where a page-table entry of an architecture keeps its bits.
///
/// A property may be stored inverted (s390 has an *invalid* bit, not a present one); `Bit` says which value means yes.
/// Everything above asks `PTE`, nothing else names a layout.
@frozen @usableFromInline
struct PTEBit: Sendable {
  @usableFromInline let mask: UInt64
  /// The masked value that means yes: `mask`, or 0 for an inverted bit.
  @usableFromInline let yes: UInt64

  @inlinable init(_ bit: UInt64, inverted: Bool = false) {
    mask = 1 << bit
    yes = inverted ? 0 : 1 << bit
  }

  @inlinable var no: UInt64 { mask ^ yes }
}

/// x86-64, as Linux lays it out. `A` and `D` are what hardware would set.
///
///     63      52 51                12 11  10  9   8   7   6   5   4 3 2  1   0
///     software 0 |       PFN         | C | N | S | G |PS | D | A | 0 0 0 | W | P |
///
///     P   present             the walker may use the entry
///     W   writable
///     A   accessed            D   dirty
///     PS  huge: the entry maps 2 MiB (second-lowest level only)
///     G   protnone: mapped, but with no permission (Linux's _PAGE_PROTNONE; P is clear)
///     S   special (_PAGE_SPECIAL, _PAGE_BIT_SOFTW1): no descriptor stands behind the frame number, or it must not be used
///     N   anonymous: the frame is private memory, not a file's
///     C   copy-on-write shared: an anonymous frame that another address space may map too; PageAnonExclusive is clear
///
/// With P and G clear, bits 1...4 tell what a non-present entry is, and the bits from 12 on are its payload.
@frozen @usableFromInline
enum PTELayoutX8664 {
  @inlinable static var present: PTEBit { PTEBit(0) }
  @inlinable static var writable: PTEBit { PTEBit(1) }
  @inlinable static var accessed: PTEBit { PTEBit(5) }
  @inlinable static var dirty: PTEBit { PTEBit(6) }
  @inlinable static var huge: PTEBit { PTEBit(7) }
  @inlinable static var protnone: PTEBit { PTEBit(8) }
  @inlinable static var special: PTEBit { PTEBit(9) }
  @inlinable static var anonymous: PTEBit { PTEBit(10) }
  @inlinable static var cowShared: PTEBit { PTEBit(11) }
  @inlinable static var pfnShift: UInt64 { 12 }
  @inlinable static var pfnMask: UInt64 { 0x000f_ffff_ffff_f000 }
  @inlinable static var kindShift: UInt64 { 1 }
}

@usableFromInline typealias PTELayout = PTELayoutX8664
