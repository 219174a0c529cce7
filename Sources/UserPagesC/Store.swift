import CUserPages
import Glibc
import Synchronization
import UserPages

/// A store of a page cache that calls a C program.
///
/// Sendable: the program promises that its callbacks may run on any thread, and reads several at once.
final class CallbackStore: PageStore, @unchecked Sendable {
  typealias Transfer = @convention(c) (UnsafeMutableRawPointer?, UInt64, UnsafePointer<iovec>?, Int) -> Int32

  private let operations: up_store_operations
  private let read: Transfer
  private let write: Transfer
  private let resize: @convention(c) (UnsafeMutableRawPointer?, UInt64) -> Int32
  private let punch: @convention(c) (UnsafeMutableRawPointer?, UInt64, UInt64) -> Int32
  private let synchronize: @convention(c) (UnsafeMutableRawPointer?) -> Int32
  private let length: Atomic<Int>
  /// Whether the cache was made: the program's context is the store's from then on.
  private let isOwner = Atomic(false)

  /// Returns nil without one of the callbacks, or with a length that no file can have.
  init?(_ operations: up_store_operations) {
    guard let read = operations.read, let write = operations.write, let resize = operations.resize,
      let punch = operations.punch_hole, let synchronize = operations.sync, let length = Int(exactly: operations.length)
    else { return nil }
    self.operations = operations
    self.read = read
    self.write = write
    self.resize = resize
    self.punch = punch
    self.synchronize = synchronize
    self.length = Atomic(length)
  }

  deinit { if isOwner.load(ordering: .acquiring) { operations.release?(operations.context) } }

  /// The cache is made.
  func own() { isOwner.store(true, ordering: .releasing) }

  var byteCount: Int { length.load(ordering: .acquiring) }

  func read(from page: Int, into pages: borrowing LentPages) throws(PageError) {
    try transfer(page, pages, .read, read)
  }

  func write(from page: Int, _ pages: borrowing LentPages) throws(PageError) {
    try transfer(page, pages, .write, write)
  }

  private func transfer(
    _ page: Int, _ pages: borrowing LentPages, _ step: PageError.FileStep, _ call: Transfer
  ) throws(PageError) {
    let vectors = UnsafeMutablePointer<iovec>.allocate(capacity: pages.count)
    defer { vectors.deallocate() }
    for index in 0..<pages.count {
      let bytes = pages[index].withUnsafeBytes { UnsafeMutableRawPointer(mutating: $0.baseAddress) }
      (vectors + index).initialize(to: iovec(iov_base: bytes, iov_len: Page.size))
    }
    try check(call(operations.context, UInt64(page), vectors, pages.count), step)
  }

  func setByteCount(_ count: Int) throws(PageError) {
    try check(resize(operations.context, UInt64(count)), .resize)
    length.store(count, ordering: .releasing)
  }

  func punchHole(_ pages: Range<Int>) throws(PageError) {
    try check(punch(operations.context, UInt64(pages.lowerBound), UInt64(pages.count)), .punch)
  }

  func sync() throws(PageError) { try check(synchronize(operations.context), .sync) }

  private func check(_ code: Int32, _ step: PageError.FileStep) throws(PageError) {
    if code != 0 { throw PageError(code: code, step) }
  }
}
