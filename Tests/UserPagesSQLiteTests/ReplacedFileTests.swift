import CSQLite
import Foundation
import TestSupport
import Testing

@testable import UserPagesSQLite

/// A program takes every lock of a WAL, spoils the index, and puts another database in the file's place, as SQLite's
/// own tests do (`superlock`).
@Suite(.offThePool) struct ReplacedFileTests {
  /// The connection that stays open reads the other database, as over the default VFS. It makes the index anew, which
  /// must not pass for a checkpoint or a new WAL of its own.
  @Test(arguments: [false, true], ["pool=1M", nil])
  func aFileThatIsReplacedIsReadAnew(isCheckpointed: Bool, parameters: String?) throws {
    try Tool.withFolder { folder in
      let (path, otherPath) = ("\(folder)/a.db", "\(folder)/b.db")
      try Database(otherPath, parameters).run(
        "PRAGMA journal_mode=WAL; CREATE TABLE u(x); INSERT INTO u VALUES('b'); PRAGMA schema_version=450")
      let database = try Database(path, parameters)
      try database.run(
        "PRAGMA mmap_size=100000000; PRAGMA journal_mode=WAL; CREATE TABLE t(x); INSERT INTO t VALUES('a')")
      for turn in 0..<4 {
        try Self.exchange(path, otherPath, parameters)
        #expect(try database.run("SELECT x FROM u") == [["b"]], "turn \(turn)")
        #expect(database.answer("SELECT x FROM t").code == SQLITE_ERROR)
        try Self.exchange(path, otherPath, parameters)
        #expect(try database.run("SELECT count(*) FROM t") == [["\(1 + turn)"]], "turn \(turn)")
        #expect(database.answer("SELECT x FROM u").code == SQLITE_ERROR)
        if isCheckpointed { try database.run("PRAGMA wal_checkpoint") }
        if turn == 1 {
          try database.run("PRAGMA journal_mode=DELETE; PRAGMA page_size=512; VACUUM; PRAGMA journal_mode=WAL")
        }
        try database.run("INSERT INTO t VALUES('c')")
      }
      try database.expectIntact()
    }
  }

  /// Exchanges two databases and their WALs, with no connection reading or writing.
  private static func exchange(_ one: String, _ other: String, _ parameters: String?) throws {
    try Database(one, parameters).withEveryLock {
      try Database(other, parameters).withEveryLock {
        for end in ["", "-wal"] {
          let (first, second) = (contents(one + end), contents(other + end))
          try overwrite(one + end, with: second)
          try overwrite(other + end, with: first)
        }
      }
    }
  }

  private static func contents(_ path: String) -> Data { FileManager.default.contents(atPath: path) ?? Data() }

  /// In place: the file stays the one that the connections have open.
  private static func overwrite(_ path: String, with data: Data) throws {
    let descriptor = open(path, O_RDWR | O_CREAT | O_TRUNC, 0o644)
    defer { close(descriptor) }
    try #require(data.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) } == data.count)
  }
}

extension Database {
  /// Runs `body` with every lock of the WAL but the writer's and the checkpointer's, and an index that says nothing.
  fileprivate func withEveryLock(_ body: () throws -> Void) throws {
    try run("BEGIN EXCLUSIVE; COMMIT")
    var pointer: UnsafeMutablePointer<sqlite3_file>?
    try #require(sqlite3_file_control(handle, "main", SQLITE_FCNTL_FILE_POINTER, &pointer) == SQLITE_OK)
    let file = try #require(pointer)
    let methods = file.pointee.pMethods.pointee
    let (recovery, count) = (WALIndex.recoveryLock, Int32(SQLITE_SHM_NLOCK))
    let (taken, given) = (SQLITE_SHM_LOCK | SQLITE_SHM_EXCLUSIVE, SQLITE_SHM_UNLOCK | SQLITE_SHM_EXCLUSIVE)
    try #require(methods.xShmLock(file, recovery, 1, taken) == SQLITE_OK)
    defer { _ = methods.xShmLock(file, recovery, 1, given) }
    var start: UnsafeMutableRawPointer?
    try #require(methods.xShmMap(file, 0, 32 << 10, 1, &start) == SQLITE_OK)
    // Less than the salt.
    try #require(start).initializeMemory(as: UInt8.self, repeating: 0, count: 32)
    try #require(methods.xShmLock(file, recovery + 1, count - recovery - 1, taken) == SQLITE_OK)
    defer { _ = methods.xShmLock(file, recovery + 1, count - recovery - 1, given) }
    try body()
  }
}
