import CSQLite
import Glibc
import UserPages

/// What tells one state of a database file from another, in rollback mode: every transaction counts in the header.
///
/// Length and time are for programs that change the file behind SQLite's back.
struct FileVersion: Equatable, Sendable {
  private static let headerSize = 100

  /// The header and four zeroes. In place and not in an array: each transaction that reads makes one.
  private typealias Header = InlineArray<13, UInt64>

  private let header: Header
  private let byteCount: Int
  private let modification: Int

  private init(_ header: Header, _ status: stat) {
    self.header = header
    byteCount = Int(status.st_size)
    modification = status.st_mtim.tv_sec &* 1_000_000_000 &+ status.st_mtim.tv_nsec
  }

  /// The version of the file now, by way of the default VFS: what the pool has is in question. Nil if it cannot be
  /// read.
  ///
  /// The caller holds the file's SHARED lock, so no process writes.
  ///
  /// - Parameter known: a version of which length and time were compared a moment ago. If the header is still its own,
  ///   no transaction has changed the file, and the kernel is not asked for them again.
  init?(of file: InnerFile, _ descriptor: Int32, known: FileVersion?) {
    var header = Header(repeating: 0)
    // An empty database is a short read, which leaves zeroes.
    let result = withUnsafeMutableBytes(of: &header) { file.read($0.baseAddress, Int32(Self.headerSize), 0) }
    guard result == SQLITE_OK || result == ResultCode.shortRead else { return nil }
    if let known, known.hasHeader(header) {
      self = known
      return
    }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { return nil }
    self.init(header, status)
  }

  /// The version of a file that this process alone has written: the pool has the header as it was written. Nil if it
  /// cannot be read.
  init?(of cache: PageCache, descriptor: Int32) {
    var header = Header(repeating: 0)
    let count = withUnsafeMutableBytes(of: &header) { bytes -> Int? in
      var span = MutableRawSpan(_unsafeStart: bytes.baseAddress!, byteCount: Self.headerSize)
      return try? cache.read(at: 0, into: &span)
    }
    var status = stat()
    guard count == Self.headerSize || count == 0, fstat(descriptor, &status) == 0 else { return nil }
    self.init(header, status)
  }

  static func == (one: FileVersion, other: FileVersion) -> Bool {
    one.byteCount == other.byteCount && one.modification == other.modification && one.hasHeader(other.header)
  }

  private func hasHeader(_ other: Header) -> Bool {
    withUnsafeBytes(of: header) { one in
      withUnsafeBytes(of: other) { memcmp(one.baseAddress!, $0.baseAddress!, Self.headerSize) == 0 }
    }
  }

  /// Whether transactions go to a WAL, and the header need not count them.
  var isWAL: Bool { withUnsafeBytes(of: header) { $0[18] == 2 || $0[19] == 2 } }

  /// The length, if it is so as long as a process has SHARED. Nil with a WAL: checkpoints change the length.
  var byteCountUnderShared: Int? { isWAL ? nil : byteCount }
}

/// A process's looks at a file when it gets its first SHARED lock: which of them ask the kernel for length and time.
///
/// The header is read in each look. A transaction of another process counts there before it gives its lock up, so an
/// equal header proves that none has come between. Length and time are for programs that take no lock, which may write
/// as well right after the look. So in looks that follow each other within 50 us only the first one asks for them.
struct FileWatch {
  static let nanoseconds = 50_000

  /// When the kernel was asked last, in nanoseconds.
  private var asked = Int.min / 2

  /// The version of the file now. Nil if it cannot be read.
  ///
  /// - Parameter known: the version that the last look has found, or this process has left behind.
  mutating func look(at file: InnerFile, _ descriptor: Int32, known: FileVersion?) -> FileVersion? {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    let now = time.tv_sec &* 1_000_000_000 &+ time.tv_nsec
    if now &- asked < Self.nanoseconds { return FileVersion(of: file, descriptor, known: known) }
    asked = now
    return FileVersion(of: file, descriptor, known: nil)
  }
}
