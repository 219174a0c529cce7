/// How pages are got or pinned (Linux's `FOLL_` flags).
@frozen
public struct PinOptions: OptionSet, Sendable {
  public let rawValue: UInt32

  @inlinable public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// The holder will write (FOLL_WRITE): breaks copy-on-write first.
  @inlinable public static var write: PinOptions { PinOptions(rawValue: 1) }
  /// The holder keeps the page for as long as it likes (FOLL_LONGTERM).
  @inlinable public static var longTerm: PinOptions { PinOptions(rawValue: 2) }
  /// Permissions of the mapping do not count (FOLL_FORCE), as for a debugger; a write still ends in a private copy.
  @inlinable public static var force: PinOptions { PinOptions(rawValue: 4) }
  /// Never leave the fast path (FOLL_FAST_ONLY).
  @inlinable public static var fastOnly: PinOptions { PinOptions(rawValue: 8) }
  /// A plain reference (FOLL_GET): keeps the frame, promises nothing about who else writes to it. Without it, a pin
  /// (FOLL_PIN).
  @inlinable public static var get: PinOptions { PinOptions(rawValue: 16) }
  /// Do not fault (FOLL_NOFAULT).
  @inlinable public static var noFault: PinOptions { PinOptions(rawValue: 32) }

  /// Whether Linux would take the combination: FOLL_LONGTERM is for pins only.
  @inlinable var isLegal: Bool { !(contains(.longTerm) && contains(.get)) }

  /// What an entry must look like for the fast path.
  @inlinable @inline(__always)
  var test: PTETest { .pin(write: contains(.write), get: contains(.get), longTerm: contains(.longTerm)) }

  /// What is added to the frame's counts.
  @inlinable @inline(__always)
  var counts: UInt64 { contains(.get) ? Frame.oneReference : Frame.oneReference + Frame.onePin }
}
