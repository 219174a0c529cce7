/// What an entry must look like for an access or a fast pin: one mask and one comparison.
@frozen @usableFromInline
struct PTETest: Sendable {
  @usableFromInline var mask: UInt64
  @usableFromInline var want: UInt64

  /// A present entry.
  @inlinable @inline(__always)
  init() {
    mask = PTELayout.present.mask
    want = PTELayout.present.yes
  }

  @inlinable @inline(__always)
  mutating func require(_ bit: PTEBit) {
    mask |= bit.mask
    want |= bit.yes
  }

  /// A property of one bit: of one that is spread over several, *not yes* is no single value.
  @inlinable @inline(__always)
  mutating func refuse(_ bit: PTEBit) {
    mask |= bit.mask
    want |= bit.no
  }

  @inlinable @inline(__always) func accepts(_ pte: PTE) -> Bool { pte.rawValue & mask == want }

  /// The same test, which refuses an entry that has `bit`.
  @inlinable @inline(__always)
  func refusing(_ bit: PTEBit) -> PTETest {
    var test = self
    test.refuse(bit)
    return test
  }

  /// The program's loads: a present entry that hardware need not mark first.
  @inlinable @inline(__always)
  static var load: PTETest {
    var test = PTETest()
    test.require(PTELayout.accessed)
    return test
  }

  /// The program's stores: writable too, and dirty already.
  @inlinable @inline(__always)
  static var store: PTETest {
    var test = PTETest.load
    test.require(PTELayout.writable)
    test.require(PTELayout.dirty)
    return test
  }

  /// A get or a pin by the fast path.
  ///
  /// - `write`: the entry must be writable. An anonymous frame behind a writable entry is exclusive.
  /// - a pin for reading must not take an anonymous frame that another space may map too: it would have to be unshared.
  ///   A plain get may take it.
  /// - a long-term pin for reading takes anonymous frames only. In a private mapping a file's frame would have to be
  ///   unshared, and the entry does not tell a private mapping from a shared one.
  /// - a long-term pin for writing takes anonymous frames only: of a file's frame the state must be looked at
  ///   (`mayHold`).
  /// - the entry must be marked accessed, as for a load: a pin counts as a use of the page (`FOLL_TOUCH`). Reclaim
  ///   clears the mark, and the next pin sets it out of line (`markedAccessed`).
  @inlinable @inline(__always)
  static func pin(write: Bool, get: Bool, longTerm: Bool) -> PTETest {
    var test = PTETest.load
    test.refuseSpecial()
    // Huge entries go through `AddressSpace.mayHold`, so a base page costs one comparison.
    test.refuse(PTELayout.huge)
    if write {
      test.require(PTELayout.writable)
      if longTerm { test.require(PTELayout.anonymous) }
    } else if !get {
      test.refuse(PTELayout.cowShared)
      if longTerm { test.require(PTELayout.anonymous) }
    }
    return test
  }
}
