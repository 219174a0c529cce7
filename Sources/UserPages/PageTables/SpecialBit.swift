/// The special bit of an entry: no descriptor may be used for its frame.
///
/// Compiled for an architecture without a bit to spare (the trait NoSpecialBit), entries say nothing of the kind, and
/// `PTE` cannot even be asked. Then `NormalPage.swift` alone decides.
#if USERPAGES_NO_SPECIAL_BIT
  extension PTE {
    /// The entry, which does not tell.
    @inlinable var asSpecial: PTE { self }
  }

  extension PTETest {
    /// Refuses nothing: the entry does not tell.
    @inlinable @inline(__always) mutating func refuseSpecial() {}
  }
#else
  extension PTE {
    /// Whether no descriptor may be used for the frame: `vm_normal_page` answers no.
    @inlinable var isSpecial: Bool { has(PTELayout.special) }

    /// The entry with the bit set.
    @inlinable var asSpecial: PTE { with(PTELayout.special) }
  }

  extension PTETest {
    @inlinable @inline(__always) mutating func refuseSpecial() { refuse(PTELayout.special) }
  }
#endif
