/// A stripe of a space: an aligned GiB of addresses. Operations in different stripes seldom meet.
///
/// A GiB is what one node of the second-lowest level maps. So every node below the third level belongs to one stripe,
/// and is unlinked by the operations on it. A smaller stripe would share such nodes with its neighbours, and more
/// mappings would reach beyond one. In a larger one more programs' threads would meet.
///
/// A mapping is *narrow* if it lies in one stripe and ends before the stripe does. Every other mapping is *wide*. So
/// the mapping to the left of a stripe's first page is wide. The neighbours of a narrow mapping are narrow ones of its
/// own stripe, or wide.
enum Stripe {
  static let size: UInt64 = 1 << 30
  /// Locks and trees of a space. Stripes with the same `slot(of:)` share one of each.
  static let slots = 64

  /// The slot of the stripe that holds `address`. Neighbours have different ones, and so have most stripes that are a
  /// power of two apart.
  @inline(__always)
  static func slot(of address: VirtualAddress) -> Int {
    let number = address.rawValue / size
    return Int((number ^ number >> 6 ^ number >> 12) % UInt64(slots))
  }

  /// The addresses of the stripe that holds `address`.
  @inline(__always)
  static func range(of address: VirtualAddress) -> Range<VirtualAddress> {
    let start = address.rawValue & ~(size - 1)
    return VirtualAddress(start)..<VirtualAddress(start + size)
  }

  /// Whether a mapping of `range` is narrow.
  @inline(__always)
  static func isNarrow(_ range: Range<VirtualAddress>) -> Bool {
    (range.lowerBound.rawValue ^ range.upperBound.rawValue) / size == 0
  }
}
