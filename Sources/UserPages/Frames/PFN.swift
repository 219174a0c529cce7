/// A page frame number: a physical address divided by the page size.
public struct PFN: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
  public var rawValue: UInt64

  @inlinable public init(rawValue: UInt64) { self.rawValue = rawValue }
  @inlinable public init(_ number: UInt64) { rawValue = number }

  @inlinable public static func < (left: PFN, right: PFN) -> Bool { left.rawValue < right.rawValue }

  /// The frame `count` frames further on.
  @inlinable public static func + (pfn: PFN, count: Int) -> PFN {
    PFN(pfn.rawValue &+ UInt64(bitPattern: Int64(count)))
  }

  public var description: String { "pfn \(rawValue)" }
}
