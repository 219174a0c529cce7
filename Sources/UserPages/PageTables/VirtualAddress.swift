/// A byte address in an address space.
public struct VirtualAddress: RawRepresentable, Hashable, Comparable, Sendable, ExpressibleByIntegerLiteral,
  CustomStringConvertible
{
  public var rawValue: UInt64

  @inlinable public init(rawValue: UInt64) { self.rawValue = rawValue }
  /// The byte address `address`, in bounds or not: operations check.
  @inlinable public init(_ address: UInt64) { rawValue = address }
  @inlinable public init(integerLiteral value: UInt64) { rawValue = value }

  @inlinable public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }

  /// The address `bytes` further on. Wraps around: every operation checks its range itself.
  @inlinable public static func + (address: Self, bytes: Int) -> Self {
    Self(address.rawValue &+ UInt64(bitPattern: Int64(bytes)))
  }

  /// The distance in bytes. Wraps around.
  @inlinable public static func - (left: Self, right: Self) -> Int {
    Int(bitPattern: UInt(left.rawValue &- right.rawValue))
  }

  /// One past the last address a program may use: the lower half of 48 bits less a page, as on Linux for x86-64.
  @inlinable public static var limit: VirtualAddress { VirtualAddress((1 << 47) - 4096) }

  /// Whether a page begins here.
  @inlinable public var isPageAligned: Bool { rawValue & UInt64(Page.size - 1) == 0 }
  /// The address of the page that holds this address.
  @inlinable public var pageStart: Self { Self(rawValue & ~UInt64(Page.size - 1)) }
  /// The number of the page that holds this address.
  var pageNumber: Int { Int(rawValue >> UInt64(Page.shift)) }
  /// The address of the aligned 2 MiB that hold this address.
  var hugeStart: Self { Self(rawValue & ~UInt64(Page.hugeSize - 1)) }
  /// The first address from this one on at which aligned 2 MiB begin.
  var hugeCeiling: Self { (self + (Page.hugeSize - 1)).hugeStart }
  /// The aligned 2 MiB that hold this address.
  var hugeRange: Range<Self> { hugeStart..<hugeStart + Page.hugeSize }
  /// Which page of its aligned 2 MiB holds this address.
  @usableFromInline var pageInHuge: Int { Int(rawValue >> UInt64(Page.shift)) & (Page.pagesPerHuge - 1) }
  /// The offset in the page, in bytes.
  @inlinable public var pageOffset: Int { Int(rawValue & UInt64(Page.size - 1)) }

  public var description: String { "0x" + String(rawValue, radix: 16) }

  /// The range of `pages` pages from here, or nil if it is empty, unaligned, overflows or leaves the address space.
  func range(pages: Int) -> Range<VirtualAddress>? {
    guard isPageAligned, pages > 0, self < Self.limit else { return nil }
    guard pages <= (Self.limit - self) / Page.size else { return nil }
    return self..<self + pages * Page.size
  }

  /// As `range(pages:)`, cut off at the end of the address space, for operations that do what they can and report the
  /// rest. Nil if it is empty or unaligned, or no part of it is inside the address space.
  func reachableRange(pages: Int) -> (range: Range<VirtualAddress>, isWhole: Bool)? {
    if let whole = range(pages: pages) { return (whole, true) }
    return isPageAligned && pages > 0 && self < Self.limit ? (self..<Self.limit, false) : nil
  }
}

/// The parts of some bytes that lie in one page each, in order. A copy goes from page to page: each has an entry of its
/// own.
struct PageParts: Sequence, IteratorProtocol {
  struct Part {
    let address: VirtualAddress
    /// Where the part begins, among all the bytes.
    let position: Int
    let count: Int

    var offset: Int { address.pageOffset }
  }

  private let start: VirtualAddress
  private let end: Int
  private var position = 0

  /// - Parameters:
  ///   - start: the address of the first byte.
  ///   - count: how many bytes.
  init(from start: VirtualAddress, count: Int) {
    self.start = start
    end = count
  }

  mutating func next() -> Part? {
    guard position < end else { return nil }
    let address = start + position
    let part = Part(
      address: address, position: position, count: Swift.min(Page.size - address.pageOffset, end - position))
    position += part.count
    return part
  }
}

extension Range where Bound == VirtualAddress {
  /// How many pages the range holds.
  ///
  /// - Throws: `invalidArgument` if it does not begin and end with a page.
  func pageCount() throws(PageError) -> Int {
    guard lowerBound.isPageAligned, upperBound.isPageAligned else { throw .invalidArgument }
    return Int((upperBound.rawValue - lowerBound.rawValue) / UInt64(Page.size))
  }
}
