/// Where a page-table entry of an architecture keeps one property.
///
/// Mostly one bit. It may be stored inverted: s390 has a *protect* bit, not a writable one. It may be spread over
/// several: powerpc's present entry is valid, a leaf and readable. Then yes and no differ in all of them, and any other
/// value is neither. All code above asks `PTE`. Only layouts name bits by number.
@frozen @usableFromInline
struct PTEBit: Equatable, Sendable {
  @usableFromInline let mask: UInt64
  /// The masked value that means yes.
  @usableFromInline let yes: UInt64

  /// The bit of that number: 1 for yes, or 0 if it is inverted.
  @inlinable init(_ bit: UInt64, inverted: Bool = false) {
    mask = 1 << bit
    yes = inverted ? 0 : 1 << bit
  }

  /// Several bits: for yes, those of `set` are 1 and those of `clear` are 0.
  @inlinable init(set: UInt64, clear: UInt64 = 0) {
    mask = set | clear
    yes = set
  }

  @inlinable var no: UInt64 { mask ^ yes }
}
