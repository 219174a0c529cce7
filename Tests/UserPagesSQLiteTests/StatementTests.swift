import CSQLite
import Foundation
import TestSupport
import Testing

/// SQL over the VFS, in both journal modes and with every page size, beside the same SQL over the default VFS.
@Suite struct StatementTests {
  static let pageSizes = [512, 1024, 2048, 4096, 8192, 16384, 32768, 65536]

  /// Statements of all kinds. Their answers and their database must be those of stock SQLite.
  static func script(pageSize: Int, journal: String) -> [String] {
    [
      "PRAGMA page_size=\(pageSize)", "PRAGMA auto_vacuum=INCREMENTAL", "PRAGMA journal_mode=\(journal)",
      "PRAGMA mmap_size=268435456", "CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT, c BLOB)",
      "CREATE INDEX tb ON t(b)",
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<400) "
        + "INSERT INTO t SELECT i, printf('%05d', i*7919%10007), zeroblob(i%700) FROM n",
      "SELECT count(*), sum(length(c)), min(b), max(b) FROM t",
      "BEGIN; UPDATE t SET b=b||'x' WHERE a%3=0; SELECT count(*) FROM t WHERE b LIKE '%x'; ROLLBACK",
      "SELECT count(*) FROM t WHERE b LIKE '%x'",
      "BEGIN; SAVEPOINT s; DELETE FROM t WHERE a<200; SAVEPOINT u; DELETE FROM t; ROLLBACK TO u; "
        + "SELECT count(*) FROM t; ROLLBACK TO s; RELEASE s; SELECT count(*) FROM t; COMMIT",
      "INSERT INTO t SELECT a+1000, b, zeroblob(20000) FROM t WHERE a<20",
      "DELETE FROM t WHERE a>1000 OR a%2", "PRAGMA incremental_vacuum(10)", "PRAGMA page_count",
      "PRAGMA integrity_check", "VACUUM", "PRAGMA page_count", "PRAGMA wal_checkpoint(TRUNCATE)",
      "INSERT INTO t(a,b) VALUES(1,1),(1,2)", "SELECT sum(a), group_concat(b) FROM (SELECT * FROM t ORDER BY b)",
      "PRAGMA journal_mode=\(journal == "WAL" ? "DELETE" : "WAL")", "UPDATE t SET c=zeroblob(10)",
      "SELECT count(*), sum(length(c)) FROM t", "PRAGMA integrity_check",
    ]
  }

  @Test(arguments: pageSizes, ["DELETE", "WAL"])
  func answersAreThoseOfStock(pageSize: Int, journal: String) throws {
    try Tool.withFolder { folder in
      let stock = try Database("\(folder)/stock.db", nil)
      let pooled = try Database("\(folder)/pooled.db", "pool=256K")
      for statement in Self.script(pageSize: pageSize, journal: journal) {
        #expect(pooled.answer(statement) == stock.answer(statement), "\(statement)")
      }
      #expect(try pooled.dump() == stock.dump())
      #expect(try pooled.statistic("misses") > 0)
      #expect(try pooled.statistic("pins") == 0)
      // Another program finds it all in the file.
      #expect(try Database("\(folder)/pooled.db", nil).dump() == stock.dump())
    }
  }

  /// Below 4096 bytes a page lies in one frame with others, which is what is lent. A longer one is copied.
  @Test(arguments: pageSizes, ["slot", "reference", "locked"])
  func fetchesLendFrames(pageSize: Int, engine: String) throws {
    try Tool.withFolder { folder in
      let database = try Database("\(folder)/a.db", "pool=4M&engine=\(engine)")
      try database.run("PRAGMA page_size=\(pageSize); PRAGMA mmap_size=268435456; CREATE TABLE t(a, b)")
      try database.run(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<300) INSERT INTO t SELECT i, zeroblob(300) FROM n"
      )
      // A new connection has no page in a cache of its own.
      let other = try Database("\(folder)/a.db")
      try other.run("PRAGMA mmap_size=268435456; PRAGMA cache_size=10")
      let before = try (other.statistic("fetches"), other.statistic("misses"))
      #expect(try other.run("SELECT count(*), sum(a) FROM t WHERE length(b)=300") == [["300", "45150"]])
      let lent = try other.statistic("fetches") - before.0
      if pageSize <= 4096 { #expect(lent >= 300 * 300 / pageSize) } else { #expect(lent == 0) }
      // All of it was in the pool, which both connections share.
      #expect(try other.statistic("misses") == before.1)
      #expect(try other.statistic("connections") == 2)
      // Without the setting nothing is lent.
      try other.run("PRAGMA mmap_size=0")
      let after = try other.statistic("fetches")
      try other.run("SELECT sum(a) FROM t")
      #expect(try other.statistic("fetches") == after)
    }
  }

  /// Pages that a cursor holds stay as they are while the pool is too small for the database, and go when the cursor is
  /// done.
  @Test(arguments: ["slot", "reference", "locked"])
  func theDatabaseMayBeLargerThanThePool(engine: String) throws {
    try Tool.withFolder { folder in
      let database = try Database("\(folder)/a.db", "pool=256K&engine=\(engine)")
      try database.run("PRAGMA mmap_size=268435456; PRAGMA cache_size=10; CREATE TABLE t(a INTEGER PRIMARY KEY, b)")
      try database.run(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<3000) INSERT INTO t SELECT i, zeroblob(900) FROM n"
      )
      // Two scans at once, each of which holds pages of its own.
      let joined = "SELECT count(*) FROM t x JOIN t y ON y.a=3001-x.a WHERE length(x.b)=900 AND length(y.b)=900"
      for _ in 0..<3 { #expect(try database.number(joined) == 3000) }
      #expect(try database.statistic("resident_pages") <= 64)
      #expect(try database.statistic("evictions") > 500)
      #expect(try database.statistic("pins") == 0)
      try database.expectIntact()
    }
  }

  @Test func attachedDatabasesHavePoolsOfTheirOwn() throws {
    try Tool.withFolder { folder in
      let database = try Database("\(folder)/a.db", "pool=1M")
      try database.run("CREATE TABLE t(a); INSERT INTO t VALUES(1)")
      try database.run("ATTACH 'file:\(folder)/b.db?vfs=userpages&pool=512K' AS b; CREATE TABLE b.t(a)")
      try database.run("BEGIN; INSERT INTO main.t VALUES(2); INSERT INTO b.t SELECT a*10 FROM main.t; COMMIT")
      #expect(try database.run("SELECT a FROM b.t") == [["10"], ["20"]])
      try database.run("BEGIN; DELETE FROM main.t; DELETE FROM b.t; ROLLBACK")
      #expect(try database.run("SELECT count(*) FROM main.t UNION ALL SELECT count(*) FROM b.t") == [["2"], ["2"]])
      #expect(try database.statistic("limit_pages") == 256)
      #expect(try database.run("PRAGMA b.userpages_stats")[0][0]?.contains("\"limit_pages\":128") == true)
      try database.run("DETACH b")
      #expect(try Database("\(folder)/b.db", nil).run("SELECT sum(a) FROM t") == [["30"]])
    }
  }

  @Test(arguments: [
    ("pool=0", SQLITE_CANTOPEN), ("pool=1Q", SQLITE_CANTOPEN), ("engine=none", SQLITE_CANTOPEN),
    ("pool=-1", SQLITE_CANTOPEN),
  ])
  func optionsThatMeanNothingAreRefused(parameters: String, code: Int32) throws {
    try Tool.withFolder { folder in
      let failure = #expect(throws: Database.Failure.self) { try Database("\(folder)/a.db", parameters) }
      #expect(failure?.code == code)
    }
  }

  @Test func aReadOnlyDatabaseIsRead() throws {
    try Tool.withFolder { folder in
      try Database("\(folder)/a.db", nil).run("CREATE TABLE t(a); INSERT INTO t VALUES(7)")
      let database = try Database("\(folder)/a.db", flags: SQLITE_OPEN_READONLY)
      #expect(try database.number("SELECT a FROM t") == 7)
      #expect(database.answer("INSERT INTO t VALUES(8)").code & 0xff == SQLITE_READONLY)
      let immutable = try Database("\(folder)/a.db", "immutable=1", flags: SQLITE_OPEN_READONLY)
      try immutable.run("PRAGMA mmap_size=1000000; CREATE TEMP TABLE x AS SELECT * FROM t")
      #expect(try immutable.statistic("reads") > 0)
    }
  }

  /// SQLite hears of the length that its transaction has made, and of the one before when that is rolled back.
  @Test(arguments: ["DELETE", "WAL"])
  func theLengthIsTheFiles(journal: String) throws {
    try Tool.withFolder { folder in
      let path = "\(folder)/a.db"
      let database = try Database(path, "pool=1M")
      try database.run("PRAGMA journal_mode=\(journal); PRAGMA cache_size=2; CREATE TABLE t(b)")
      var pointer: UnsafeMutablePointer<sqlite3_file>?
      #expect(sqlite3_file_control(database.handle, "main", SQLITE_FCNTL_FILE_POINTER, &pointer) == SQLITE_OK)
      let file = try #require(pointer)
      func expectLength(_ location: SourceLocation = #_sourceLocation) -> Int {
        var (size, status) = (Int64(-1), stat())
        #expect(file.pointee.pMethods.pointee.xFileSize(file, &size) == SQLITE_OK, sourceLocation: location)
        #expect(stat(path, &status) == 0 && size == status.st_size, sourceLocation: location)
        return Int(size)
      }
      for end in ["ROLLBACK", "COMMIT", "ROLLBACK; VACUUM"] {
        try database.run("BEGIN; SELECT count(*) FROM t")
        let before = expectLength()
        try database.run(
          "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<50) INSERT INTO t SELECT "
            + "randomblob(3500) FROM n")
        // The cache is too small for the transaction.
        #expect(expectLength() > before || journal == "WAL")
        try database.run(end)
        #expect(end != "ROLLBACK" || journal == "WAL" || expectLength() == before)
        try database.run("BEGIN; SELECT count(*) FROM t")
        _ = expectLength()
        try database.run("COMMIT")
      }
    }
  }
}
