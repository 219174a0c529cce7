import CSQLite
import Glibc

/// What tells one state of a database file from another, in rollback mode: every transaction counts in the header.
///
/// Length and time are for programs that change the file behind SQLite's back.
struct FileVersion: Equatable, Sendable {
  static let headerSize = 100

  private let header: [UInt8]
  private let byteCount: Int
  private let modification: Int

  /// The version that a header and the file's status make.
  init(header: [UInt8], _ status: stat) {
    self.header = header
    byteCount = Int(status.st_size)
    modification = status.st_mtim.tv_sec &* 1_000_000_000 &+ status.st_mtim.tv_nsec
  }

  /// The version of the file now, by way of the default VFS: what the pool has is in question. Nil if it cannot be
  /// read.
  ///
  /// The caller holds the file's SHARED lock, so no process writes.
  init?(of file: InnerFile, descriptor: Int32) {
    var header = [UInt8](repeating: 0, count: Self.headerSize)
    // An empty database is a short read, which leaves zeroes.
    let result = header.withUnsafeMutableBytes { file.read($0.baseAddress, Int32($0.count), 0) }
    var status = stat()
    guard result == SQLITE_OK || result == ResultCode.shortRead, fstat(descriptor, &status) == 0 else { return nil }
    self.init(header: header, status)
  }

  /// Whether transactions go to a WAL, and the header need not count them.
  var isWAL: Bool { header[18] == 2 || header[19] == 2 }
}
