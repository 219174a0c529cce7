import UserPages

/// The pages that a connection has fetched and not given back, the latest last.
///
/// SQLite gives back mostly what it fetched last, so a look from the end finds it at once. One thread at a time uses a
/// connection.
struct LentFrames: ~Copyable {
  private struct Loan: ~Copyable {
    let address: UnsafeMutableRawPointer
    let page: PinnedPage
  }

  // `count` loans are initialised, of `capacity`.
  private var loans: UnsafeMutablePointer<Loan>
  private var capacity = 16
  private(set) var count = 0

  init() { loans = .allocate(capacity: capacity) }

  deinit {
    loans.deinitialize(count: count)
    loans.deallocate()
  }

  /// Keeps a page that is lent as `address`, which is anywhere in it.
  @inline(__always)
  mutating func append(_ page: consuming PinnedPage, _ address: UnsafeMutableRawPointer) {
    if count == capacity { grow() }
    (loans + count).initialize(to: Loan(address: address, page: page))
    count += 1
  }

  /// Gives a page back. Returns false if nothing is lent as `address`.
  @inline(__always)
  mutating func remove(_ address: UnsafeMutableRawPointer) -> Bool {
    var index = count - 1
    while index >= 0, loans[index].address != address { index -= 1 }
    guard index >= 0 else { return false }
    _ = (loans + index).move()
    count -= 1
    if index < count { (loans + index).moveInitialize(from: loans + index + 1, count: count - index) }
    return true
  }

  @inline(never)
  private mutating func grow() {
    let larger = UnsafeMutablePointer<Loan>.allocate(capacity: 2 * capacity)
    larger.moveInitialize(from: loans, count: count)
    loans.deallocate()
    loans = larger
    capacity *= 2
  }
}
