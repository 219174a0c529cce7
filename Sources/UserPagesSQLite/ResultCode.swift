import CSQLite
import Glibc
import UserPages

/// SQLite's extended result codes of I/O, which are macros of C that Swift does not see, and the library's errors as
/// such codes.
enum ResultCode {
  static let read = SQLITE_IOERR | 1 << 8
  static let shortRead = SQLITE_IOERR | 2 << 8
  static let write = SQLITE_IOERR | 3 << 8
  static let sync = SQLITE_IOERR | 4 << 8
  static let truncate = SQLITE_IOERR | 6 << 8
  static let fileSize = SQLITE_IOERR | 7 << 8
  static let unlock = SQLITE_IOERR | 8 << 8
  static let noMemory = SQLITE_IOERR | 12 << 8
  static let lock = SQLITE_IOERR | 15 << 8
  static let loadPermanently = SQLITE_OK | 1 << 8

  /// The code of an error that came up while the file was used for `purpose`.
  ///
  /// It is `purpose` itself for an error that says nothing more.
  static func of(_ error: PageError, _ purpose: Int32) -> Int32 {
    switch error {
    case _ where error.isLackOfMemory: noMemory
    case .file(_, errno: ENOSPC), .file(_, errno: EDQUOT): SQLITE_FULL
    case .file(.sync, _): sync
    case .file(.write, _): write
    case .file(.resize, _) where purpose == write: write
    default: purpose
    }
  }
}
