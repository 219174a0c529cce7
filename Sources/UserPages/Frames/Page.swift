/// The sizes of pages, in bytes unless said otherwise.
public enum Page {
  /// 4 KiB.
  public static let size = 4096
  /// The logarithm of `size`: an address shifted right by it is a page number.
  @usableFromInline static let shift = 12
  /// 2 MiB: what one entry of the second-lowest level may map.
  public static let hugeSize = 2 << 20
  /// The logarithm of `hugeSize`.
  static let hugeShift = 21
  /// Pages in a huge page.
  public static let pagesPerHuge = 512

  /// How many pages hold `byteCount` bytes, the last page in part. Any length has an answer: a file may have 2^63 - 1
  /// bytes.
  package static func count(holding byteCount: Int) -> Int {
    byteCount >> shift + (byteCount & (size - 1) == 0 ? 0 : 1)
  }
}

/// A page frame number: a physical address divided by the page size.
public struct PFN: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
  /// The number. Frame n holds the bytes from n * `Page.size` on of physical memory. Any number may be asked about.
  public var rawValue: UInt64

  /// The frame with a number.
  @inlinable public init(rawValue: UInt64) { self.rawValue = rawValue }
  /// The frame with a number.
  @inlinable public init(_ number: UInt64) { rawValue = number }

  /// Orders frames by their numbers.
  @inlinable public static func < (left: PFN, right: PFN) -> Bool { left.rawValue < right.rawValue }

  /// The frame `count` frames further on.
  @inlinable public static func + (pfn: PFN, count: Int) -> PFN {
    PFN(pfn.rawValue &+ UInt64(bitPattern: Int64(count)))
  }

  /// The number, as `pfn 513`.
  public var description: String { "pfn \(rawValue)" }
}
