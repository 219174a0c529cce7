/// A lock for each 2 MiB of a table's span (Linux's split page-table lock), for the `locked` engine and its spaces' faults.
///
/// The other engines have no use for them: entries are locked one by one.
final class PageTableLocks: @unchecked Sendable {
  private static let count = 64

  // Raw memory: locks must not move; a line each.
  private let locks: UnsafeMutablePointer<PaddedLock>

  private struct PaddedLock: ~Copyable {
    let lock = FutexLock()
    private let padding: InlineArray<15, UInt32> = .init(repeating: 0)
  }

  init() {
    locks = .allocate(capacity: Self.count)
    for index in 0..<Self.count { (locks + index).initialize(to: PaddedLock()) }
  }

  deinit {
    locks.deinitialize(count: Self.count)
    locks.deallocate()
  }

  @inline(__always)
  func locked<Result>(_ address: VirtualAddress, _ body: () -> Result) -> Result {
    let index = Int(truncatingIfNeeded: address.rawValue >> UInt64(Page.hugeShift)) & (Self.count - 1)
    locks[index].lock.lock()
    defer { locks[index].lock.unlock() }
    return body()
  }
}
