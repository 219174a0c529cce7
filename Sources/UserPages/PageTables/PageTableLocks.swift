/// A lock for each 2 MiB of a table's span (Linux's split page-table lock), for the `locked` engine and its spaces' faults.
///
/// The other engines lock entries one by one instead. Spans that are 64 apart share a lock.
final class PageTableLocks: Sendable {
  private static let count = 64

  private let locks = LockArray(count: count)

  init() {}

  deinit { locks.release() }

  /// Runs `body` under the lock of the span that holds `address`.
  @inline(__always)
  func locked<Result>(_ address: VirtualAddress, _ body: () -> Result) -> Result {
    let index = Int(truncatingIfNeeded: address.rawValue >> UInt64(Page.hugeShift)) & (Self.count - 1)
    locks.lock(index)
    defer { locks.unlock(index) }
    return body()
  }
}
