import Glibc
import Synchronization
import UserPages

/// The file behind a pool's cache. It reads only while a lock keeps other processes from writing.
///
/// A thread that misses a page has a connection with SHARED. The cache also reads ahead, on a thread of its own, which
/// has none. The connection that went through the file in order may be at its end by then.
///
///     the reading thread                  a connection                      another process
///                                         reads; has a window read ahead
///                                         unlocks: the last of the process
///     1. looks at the period                                                locks EXCLUSIVE, writes page p
///     2. reads page p
///     3. looks at the period again                                          rolls back
///                                         locks SHARED; the header, the
///                                         length and the time are as before
///                                         reads page p
///
/// Without 1 and 3 that is a page of no transaction. The time of the file would tell, but many kernels advance it once
/// in milliseconds.
///
/// ORDERING [read-period]: a period ends before the last connection unlocks, and begins after the first one has locked.
/// So if 1 and 3 find the same period, the process had SHARED from 1 to 3. If 2 met another process's write, the end of
/// the period came before, and 3 finds it: a lock of the kernel's and its transfers order them.
///
/// In WAL mode the process keeps SHARED, and a checkpoint of another process may write what 2 reads. No reader then
/// reads the page from the pool before the checkpoint has advanced the position, and the pool forgets it (`Coherence`).
final class PoolStore: PageStore {
  private let current: Guarded<any PageStore>
  private let periods: ReadPeriods

  init(_ file: any PageStore, _ periods: ReadPeriods) {
    current = Guarded(file)
    self.periods = periods
  }

  private var file: any PageStore { current.withLock { $0 } }

  /// Transfers by way of `file` from the next call on: the same file, opened again. A transfer that is under way stays
  /// with the file before.
  func replace(with file: any PageStore) {
    // Released outside of the lock.
    _ = current.withLock { current in
      defer { current = file }
      return current
    }
  }

  var byteCount: Int { file.byteCount }
  func refreshByteCount() throws(PageError) { try file.refreshByteCount() }

  func read(from page: Int, into pages: borrowing LentPages) throws(PageError) {
    let period = periods.current
    if period != nil { try file.read(from: page, into: pages) }
    if period == nil || periods.current != period { throw Self.refusal }
  }

  func read(into pages: borrowing LentPages, at numbers: [Int]) -> [PageError?] {
    if let period = periods.current {
      let errors = file.read(into: pages, at: numbers)
      if periods.current == period { return errors }
    }
    return Array(repeating: Self.refusal, count: numbers.count)
  }

  /// The reader's thread leaves the page unread. A thread with a lock meets this never.
  private static let refusal = PageError.file(.read, errno: EAGAIN)

  func write(from page: Int, _ pages: borrowing LentPages) throws(PageError) { try file.write(from: page, pages) }

  func write(_ pages: borrowing LentPages, at numbers: [Int]) -> [PageError?] { file.write(pages, at: numbers) }

  func setByteCount(_ count: Int) throws(PageError) { try file.setByteCount(count) }
  func punchHole(_ pages: Range<Int>) throws(PageError) { try file.punchHole(pages) }
  func sync() throws(PageError) { try file.sync() }
}

/// The stretches of time in which the process may read the file, numbered: a connection has SHARED, or needs no lock.
final class ReadPeriods: Sendable {
  /// Bits 0...23 are the connections that hold the period up. The rest is its number, which grows at each beginning.
  private let word = Atomic<UInt64>(0)
  private static let holders: UInt64 = (1 << 24) - 1

  /// Which period it is. Nil between two.
  var current: UInt64? {
    // ORDERING [read-period].
    let word = word.load(ordering: .sequentiallyConsistent)
    return word & Self.holders == 0 ? nil : word & ~Self.holders
  }

  /// A connection has locked SHARED, and the pool knows what the file is.
  func enter() { change { $0 & Self.holders == 0 ? $0 + Self.holders + 2 : $0 + 1 } }

  /// A connection is about to unlock SHARED.
  func leave() { change { $0 - 1 } }

  /// ORDERING [read-period].
  private func change(_ change: (UInt64) -> UInt64) {
    var old = word.load(ordering: .relaxed)
    while true {
      let result = word.compareExchange(
        expected: old, desired: change(old), ordering: .sequentiallyConsistent)
      if result.exchanged { return }
      old = result.original
    }
  }
}
