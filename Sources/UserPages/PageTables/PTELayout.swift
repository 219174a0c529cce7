// Which architecture's entries these are is chosen when the library is compiled, by a trait of the package (see
// Package.swift). Everything that a layout says is a constant, so a walk is the same few instructions in each.
//
// A layout is a type of this shape:
//
//     present, writable, accessed, dirty, huge, protnone, special, anonymous, cowShared, neverSlotPinned
//                                  a `PTEBit` each; they share no bit, but that an entry is present or protnone, never both
//     pfnMask, pfnShift            the frame number of an entry that maps one; the payload of one that does not
//     nonPresent, kindShift        an entry that maps nothing is empty (the zero word), or `nonPresent` with a
//                                  `PTE.NonPresentKind` in the four bits from `kindShift` on, and a payload; `cowShared`
//                                  is none of these bits and keeps its meaning in a swap entry
//     linkMask, linkMark,          the entry of a higher level that leads to a node below is the node's address with
//     linkAddressMask              `linkMark`; no entry of any kind looks so under `linkMask`
//
// The empty entry is the zero word in each of them, because nodes come zeroed from a pool, whatever it is on the
// machine.

// A build enables the union of the traits that its packages ask for, and documentation is generated with all of them.
// If both layouts are enabled, s390's takes precedence.
#if USERPAGES_PTE_S390
  @usableFromInline typealias PTELayout = PTELayoutS390
#elseif USERPAGES_PTE_POWERPC
  @usableFromInline typealias PTELayout = PTELayoutPowerPC
#else
  @usableFromInline typealias PTELayout = PTELayoutX8664
#endif
