/// What a pin is for, and how far the call may go to get it (Linux's `FOLL_` flags).
@frozen
public struct PinOptions: OptionSet, Sendable {
  public let rawValue: UInt32

  @inlinable public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// The holder will store to the page (FOLL_WRITE). The pin breaks copy-on-write first. Without it the pin lends no
  /// mutable bytes.
  @inlinable public static var write: PinOptions { PinOptions(rawValue: 1) }
  /// The holder may keep the page for an unbounded time (FOLL_LONGTERM). For pins only: a get with it is
  /// `invalidArgument`.
  @inlinable public static var longTerm: PinOptions { PinOptions(rawValue: 2) }
  /// The mapping's protection does not count (FOLL_FORCE), as for a debugger. A forced write still ends in a private
  /// copy.
  @inlinable public static var force: PinOptions { PinOptions(rawValue: 4) }
  /// The call never leaves the fast path (FOLL_FAST_ONLY): it takes no lock, does not fault, and may run inside a
  /// read-side section. A page that the fast path cannot hold is `tryAgain`, or ends a range. Engine `locked` has no
  /// fast path.
  @inlinable public static var fastOnly: PinOptions { PinOptions(rawValue: 8) }
  /// The call does not fault a page in (FOLL_NOFAULT). A page that needs a fault is `badAddress`, or ends a range.
  @inlinable public static var noFault: PinOptions { PinOptions(rawValue: 32) }

  /// A plain reference instead of a pin (FOLL_GET). The public face is `AddressSpace.get`.
  @inlinable package static var get: PinOptions { PinOptions(rawValue: 16) }

  /// Whether Linux would accept the combination: FOLL_LONGTERM is for pins only.
  @inlinable var isLegal: Bool { !(contains(.longTerm) && contains(.get)) }

  /// What an entry must look like for the fast path, if the entry maps a base page.
  @inlinable @inline(__always)
  var test: PTETest { .pin(write: contains(.write), get: contains(.get), longTerm: contains(.longTerm)) }

  /// Whether the fast path may hold what a base page's entry maps. It is `test` and the one case that needs a second
  /// comparison.
  ///
  /// A long-term pin takes anonymous memory, as `test` says. It also takes any page that its entry lets the program
  /// store to: then pin and program will always share one page. Whether it may write to a file's page is up to
  /// `AddressSpace.mayHold`.
  func accepts(_ pte: PTE) -> Bool {
    if test.accepts(pte) { return true }
    return contains(.longTerm) && PTETest.pin(write: true, get: false, longTerm: false).accepts(pte)
  }

  /// What a pin or a get adds to the frame's counts.
  @inlinable @inline(__always)
  var holdDelta: UInt64 { contains(.get) ? Frame.oneReference : Frame.oneReference + Frame.onePin }
}
