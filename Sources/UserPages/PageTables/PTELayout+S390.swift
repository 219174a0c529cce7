/// s390 (z/Architecture, 64 bits), as Linux lays it out. Bits are numbered from the lowest here. The architecture's
/// manual numbers them from the highest. Capitals are what hardware looks at, small letters are software's.
///
///     63                      12 11  10  9   8   7   6   5   4   3   2   1   0
///     |           PFN           | l | I | P | t | c | s | w | r | d | y | n | p |
///
///     I   invalid             hardware may not use the entry: an inverted bit
///     P   protect             hardware may not store through the entry: an inverted bit
///     p   the entry maps a frame, with whatever permission (_PAGE_PRESENT)
///     r   readable: clear with p set is protnone
///     w   writable            P is its inverse
///     y   accessed (young)    d   dirty
///     s   special (_PAGE_SPECIAL)
///     l   huge (_PAGE_LARGE); at the lowest level: part of a 2 MiB frame
///     n   anonymous; where Linux keeps soft-dirty
///     c   copy-on-write shared; where Linux marks pages that a guest does not use
///     t   never slot-pinned: an own frame that no slot ever held; hardware's no-execute, and nothing is executed here
///
/// So present is p and r without I, protnone is p and I without r, and writable is w without P. Inversions stay inside
/// the layout: `PTE` answers as on every other machine.
///
/// Linux's empty entry is not zero. It has I set and nothing else, because to hardware the zero word is a valid entry
/// of frame 0. Here no hardware walks, and a walker that asks for *present* asks for p as well as for I, as Linux's own
/// do. So the zero word maps nothing and can be the empty entry, as nodes come from the pool. To make a table for
/// hardware, one would set I where there is nothing.
///
/// An entry that maps nothing and is not empty has I and P set and p clear. Linux's swap entries have the same:
/// `pte & 0x201` is `0x200`. Bits 2...5 tell what it is, and the bits of the PFN are its payload.
///
/// Two things that Linux does for hardware's sake, so that the first access faults, are left out. There I is also set
/// in an entry that is not accessed, and P in one that is not dirty. Here loads and stores look at y and d themselves.
///
/// A link to a node is marked as an entry of a region-third table is, by its table type: bits 3 and 2 are 01. In a link
/// p and P are clear. Every entry of a page has one of the two set.
@frozen @usableFromInline
enum PTELayoutS390 {
  @inlinable static var mapped: UInt64 { 0x001 }
  @inlinable static var readable: UInt64 { 0x010 }
  @inlinable static var protect: UInt64 { 0x200 }
  @inlinable static var invalid: UInt64 { 0x400 }

  @inlinable static var present: PTEBit { PTEBit(set: mapped | readable, clear: invalid) }
  @inlinable static var protnone: PTEBit { PTEBit(set: mapped | invalid, clear: readable) }
  @inlinable static var writable: PTEBit { PTEBit(set: 0x020, clear: protect) }
  @inlinable static var anonymous: PTEBit { PTEBit(1) }
  @inlinable static var accessed: PTEBit { PTEBit(2) }
  @inlinable static var dirty: PTEBit { PTEBit(3) }
  @inlinable static var special: PTEBit { PTEBit(6) }
  @inlinable static var cowShared: PTEBit { PTEBit(7) }
  @inlinable static var neverSlotPinned: PTEBit { PTEBit(8) }
  @inlinable static var huge: PTEBit { PTEBit(11) }

  @inlinable static var pfnShift: UInt64 { 12 }
  @inlinable static var pfnMask: UInt64 { 0xffff_ffff_ffff_f000 }

  @inlinable static var nonPresent: UInt64 { invalid | protect }
  @inlinable static var kindShift: UInt64 { 2 }

  @inlinable static var linkMark: UInt64 { 0x004 }
  @inlinable static var linkMask: UInt64 { 0x004 | mapped | protect }
  @inlinable static var linkAddressMask: UInt64 { ~0xfff }
}
