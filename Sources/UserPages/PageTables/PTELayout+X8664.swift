/// x86-64, as Linux lays it out. `A` and `D` are what hardware would set.
///
///     63  59 58 57  52 51          12 11  10  9   8   7   6   5   4   3   2   1   0
///     |  0  | T |  0  |     PFN     | C | N | S | G |PS | D | A | 0 | 0 | U | W | P |
///
///     P   present             the walker may use the entry
///     W   writable
///     U   user: set in links to nodes only, which is what tells them from entries
///     A   accessed            D   dirty
///     PS  huge: the entry maps 2 MiB (second-lowest level), or a part of a 2 MiB frame (lowest level; PAT on the machine)
///     G   protnone: mapped, but with no permission (Linux's _PAGE_PROTNONE; P is clear)
///     S   special (_PAGE_SPECIAL, _PAGE_BIT_SOFTW1): no descriptor stands behind the frame number, or it must not be used
///     N   anonymous: the frame is private memory, not a file's
///     C   copy-on-write shared: an anonymous frame that another address space may map too; PageAnonExclusive is clear
///     T   never slot-pinned (_PAGE_BIT_SOFTW5): an own frame that no slot ever held
///
/// An entry that maps nothing has P and G clear. Bits 1...4 tell what it is, and the bits of the PFN are its payload.
///
/// A link to a node has P and U set and PS clear, as the tables of a process have on x86-64. Linux sets U in the
/// entries of a process too and tells them from links by their level. Here it is left to the links.
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
  @inlinable static var neverSlotPinned: PTEBit { PTEBit(58) }

  @inlinable static var pfnShift: UInt64 { 12 }
  @inlinable static var pfnMask: UInt64 { 0x000f_ffff_ffff_f000 }

  @inlinable static var nonPresent: UInt64 { 0 }
  @inlinable static var kindShift: UInt64 { 1 }

  @inlinable static var linkMark: UInt64 { 0x05 }
  @inlinable static var linkMask: UInt64 { 0x85 }
  @inlinable static var linkAddressMask: UInt64 { ~0xfff }
}
