/// Locks for the entries of a table (Linux's split page-table locks): 64 of them, shared by the 2 MiB ranges in turn.
///
/// Only spaces with the `locked` engine have them, for pins and faults. The other engines lock single entries.
final class PageTableLocks: Sendable {
  private static let count = 64

  private let locks = LockArray(count: count)

  deinit { locks.release() }

  /// Runs `body` with the lock of the 2 MiB that hold `address`.
  @inline(__always)
  func locked<Result>(_ address: VirtualAddress, _ body: () -> Result) -> Result {
    let index = Int(truncatingIfNeeded: address.rawValue >> UInt64(Page.hugeShift)) & (Self.count - 1)
    locks.lock(index)
    defer { locks.unlock(index) }
    return body()
  }
}
