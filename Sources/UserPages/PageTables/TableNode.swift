import CPlatform
import Synchronization

/// 512 entries: one node of the table.
///
/// In a node of the lowest level an entry is a `PTE`. Above, an entry is nothing (0), a node below, or, one level above
/// the lowest, a huge `PTE`. A node's address has its low twelve bits clear. `link` marks it as the layout says, so
/// that no `PTE` looks like one.
@frozen @usableFromInline
struct TableNode: Equatable, @unchecked Sendable {
  @usableFromInline static let entryCount = 512

  // A page of the machine's pool, freed a grace period after the node was unlinked.
  @usableFromInline let entries: UnsafeMutablePointer<Atomic<UInt64>>

  @inlinable @inline(__always) init(_ entries: UnsafeMutablePointer<Atomic<UInt64>>) { self.entries = entries }

  init(page: UnsafeMutableRawPointer) { entries = page.assumingMemoryBound(to: Atomic<UInt64>.self) }

  var page: UnsafeMutableRawPointer { UnsafeMutableRawPointer(entries) }

  @inlinable @inline(__always) subscript(index: Int) -> PTEPointer { PTEPointer(entries + index) }

  /// The word in the parent's entry that leads here.
  var link: PTE { PTE(rawValue: UInt64(UInt(bitPattern: entries)) | PTELayout.linkMark) }

  /// The node an entry leads to, if it does.
  @inlinable @inline(__always) init?(link: PTE) {
    guard link.rawValue & PTELayout.linkMask == PTELayout.linkMark else { return nil }
    entries = UnsafeMutablePointer(bitPattern: UInt(link.rawValue & PTELayout.linkAddressMask)).unsafelyUnwrapped
  }

  /// The index of `address` in a node of `level` (1 is the lowest).
  @inlinable @inline(__always) static func index(of address: VirtualAddress, level: Int) -> Int {
    Int(truncatingIfNeeded: address.rawValue >> UInt64(12 + 9 * (level - 1))) & 511
  }

  /// Bytes that one entry of a node of `level` covers.
  static func entrySpan(level: Int) -> UInt64 { 1 << UInt64(12 + 9 * (level - 1)) }

  /// The index of the first entry from `index` on that is not empty, or `entryCount`. The loads are relaxed: the caller
  /// has issued a fence.
  func firstLinked(from index: Int) -> Int {
    cp_first_set(UnsafeRawPointer(entries).assumingMemoryBound(to: UInt64.self), index, Self.entryCount)
  }
}
