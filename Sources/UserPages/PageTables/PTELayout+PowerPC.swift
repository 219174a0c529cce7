/// powerpc (64-bit Book3S: radix and hash alike), as Linux lays it out. Bits are numbered from the lowest here. The
/// architecture's manual numbers them from the highest, and memory holds the word with its highest byte first.
///
///     63  62  61  60 54 53  52              12 11  10  9   8   7   6   5   4   3   2   1   0
///     | V | L | t | 0 0 | h |       PFN       | c | s | n | R | C | 0 | 0 | 0 | 0 | r | w | 0 |
///
///     V   valid (_PAGE_PRESENT): a translation, or a link
///     L   leaf (_PAGE_PTE): an entry of a page, not a link to a node
///     r   read: clear with V and L set is protnone
///     w   write
///     R   accessed (referenced)           C   dirty (changed)
///     s   special (_PAGE_SPECIAL, software bit 2)
///     n   anonymous (software bit 3, where Linux keeps soft-dirty)
///     c   copy-on-write shared (software bit 1)
///     t   never slot-pinned: an own frame that no slot ever held (software bit 0)
///     h   huge: a bit above the highest that Linux uses of an address (53 bits), where it keeps what belongs to a hash
///         table. Linux itself needs none: any leaf above the lowest level is huge. At the lowest level: part of a 2 MiB
///         frame
///
/// Bits 0 and 3...6 (execute, privileged, memory attributes, busy) are clear. So present is V, L and r, and protnone is
/// V and L without r.
///
/// An entry that maps nothing and is not empty has L set and V clear, as Linux's swap entries have. So it never looks
/// like a pointer. Bits 0...3 tell what it is, and the bits of the PFN are its payload.
///
/// A link to a node has V set and L clear: the one of the three architectures that tells entries from links by design.
///
/// Before radix and hash tables shared a layout, each page size had its own. With pages of 4 KiB the special bit was
/// bit 16, and the frame number began at bit 17. With those of 64 KiB the special bit was bit 10.
@frozen @usableFromInline
enum PTELayoutPowerPC {
  @inlinable static var valid: UInt64 { 1 << 63 }
  @inlinable static var leaf: UInt64 { 1 << 62 }
  @inlinable static var read: UInt64 { 0x004 }

  @inlinable static var present: PTEBit { PTEBit(set: valid | leaf | read) }
  @inlinable static var protnone: PTEBit { PTEBit(set: valid | leaf, clear: read) }
  @inlinable static var writable: PTEBit { PTEBit(1) }
  @inlinable static var dirty: PTEBit { PTEBit(7) }
  @inlinable static var accessed: PTEBit { PTEBit(8) }
  @inlinable static var anonymous: PTEBit { PTEBit(9) }
  @inlinable static var special: PTEBit { PTEBit(10) }
  @inlinable static var cowShared: PTEBit { PTEBit(11) }
  @inlinable static var huge: PTEBit { PTEBit(53) }
  @inlinable static var neverSlotPinned: PTEBit { PTEBit(61) }

  @inlinable static var pfnShift: UInt64 { 12 }
  @inlinable static var pfnMask: UInt64 { 0x001f_ffff_ffff_f000 }

  @inlinable static var nonPresent: UInt64 { leaf }
  @inlinable static var kindShift: UInt64 { 0 }

  @inlinable static var linkMark: UInt64 { valid }
  @inlinable static var linkMask: UInt64 { valid | leaf }
  @inlinable static var linkAddressMask: UInt64 { 0x0fff_ffff_ffff_f000 }
}
