import CSQLite
import Foundation
import Synchronization
import TestSupport
import Testing

/// Another program cuts the database file under connections that read and write. A mapped file would end the process
/// by SIGBUS; here each connection gets an error.
@Suite(.serialized, .offThePool) struct CutFileTests {
  private static let rows = 400
  private static let rowLength = 900

  /// What a statement may come to after the cut. None of them is a wrong answer.
  private static let allowed: Set<Int32> = [
    SQLITE_OK, SQLITE_BUSY, SQLITE_IOERR, SQLITE_CORRUPT, SQLITE_NOTADB,
  ]

  private static let count = "SELECT count(*), sum(length(b)) FROM t"
  private static let counted = [["\(rows)", "\(rows * rowLength)"]]

  /// What the threads tell.
  private final class Counts: Sendable {
    let isOver = Atomic(false)
    let isCut = Atomic(false)
    /// Threads that have run a statement, and threads that met an error.
    let begun = Atomic(0)
    let reported = Atomic(0)
  }

  /// Runs statements until the test is over, and checks what each comes to.
  private static func repeatStatements(
    _ database: Database, _ counts: Counts, _ statement: (Int) -> (sql: String, rows: [[String?]])
  ) {
    var (turn, hasReported) = (0, false)
    while !counts.isOver.load(ordering: .acquiring) {
      turn += 1
      let (sql, rows) = statement(turn)
      let answer = database.answer(sql)
      let code = answer.code & 0xff
      #expect(allowed.contains(code), "\(sql): \(answer.code)")
      if code == SQLITE_OK {
        // What a statement says without an error is true, also where others meet the cut.
        #expect(answer.rows == rows, "\(sql)")
      } else if code != SQLITE_BUSY {
        let isCut = counts.isCut.load(ordering: .acquiring)
        #expect(isCut, "\(sql): \(answer.code)")
        if !hasReported { counts.reported.wrappingAdd(1, ordering: .sequentiallyConsistent) }
        hasReported = true
      }
      if turn == 1 { counts.begun.wrappingAdd(1, ordering: .sequentiallyConsistent) }
      // What failed may have left a transaction open.
      if sqlite3_get_autocommit(database.handle) == 0 { _ = database.answer("ROLLBACK") }
    }
  }

  /// Two threads write and two read while the file is cut to whole pages, several times. No answer is wrong, and the
  /// process lives.
  ///
  /// With a rollback journal each thread meets an error. A WAL may have every page that was cut, and brings it back:
  /// only afterwards, when it is empty, a cut must be an error.
  @Test(arguments: ["DELETE", "WAL"], ["", "exclusive=1&"])
  func readersAndWritersGetErrors(journal: String, exclusive: String) throws {
    for pages in [1, 5, 60] {
      try Tool.withFolder { folder in
        let path = "\(folder)/a.db"
        let parameters = "\(exclusive)pool=256K"
        do {
          let database = try Database(path, parameters)
          try database.run("PRAGMA journal_mode=\(journal); CREATE TABLE t(a INTEGER PRIMARY KEY, b)")
          try database.run(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<\(Self.rows)) "
              + "INSERT INTO t SELECT i, zeroblob(\(Self.rowLength)) FROM n")
        }
        let counts = Counts()
        let threads = (0..<4).map { number in
          CheckedThread {
            let database = try Database(path, parameters)
            try database.run("PRAGMA cache_size=4; PRAGMA mmap_size=\(number % 2 == 0 ? 100_000_000 : 0)")
            try database.run("PRAGMA synchronous=OFF; PRAGMA wal_autocheckpoint=20")
            // What waits for a lock when the file is cut goes on soon.
            database.setTimeout(milliseconds: 50)
            Self.repeatStatements(database, counts) { turn in
              guard number < 2 else { return (Self.count, Self.counted) }
              let first = turn * 37 % Self.rows
              let sql = "UPDATE t SET b=randomblob(\(Self.rowLength)) WHERE a BETWEEN \(first) AND \(first + 40)"
              return (sql, [])
            }
          }
        }
        for _ in 0..<20_000 where counts.begun.load(ordering: .sequentiallyConsistent) < 4 { usleep(1000) }
        counts.isCut.store(true, ordering: .sequentiallyConsistent)
        for _ in 0..<10 {
          #expect(truncate(path, off_t(pages * 4096)) == 0)
          usleep(5000)
        }
        let wanted = journal == "WAL" ? 0 : 4
        for _ in 0..<20_000 where counts.reported.load(ordering: .sequentiallyConsistent) < wanted { usleep(1000) }
        #expect(counts.reported.load(ordering: .sequentiallyConsistent) >= wanted)
        counts.isOver.store(true, ordering: .releasing)
        for thread in threads { try thread.join() }
        // The last connection has emptied the WAL, unless the cut was in its way.
        #expect(truncate(path, off_t(4096)) == 0)
        let answer = try Database(path, parameters).answer(Self.count)
        let isWhole = journal == "WAL" && FileManager.default.fileExists(atPath: "\(path)-wal")
        #expect(answer.code != SQLITE_OK || (isWhole && answer.rows == Self.counted), "\(answer)")
      }
    }
  }
}
