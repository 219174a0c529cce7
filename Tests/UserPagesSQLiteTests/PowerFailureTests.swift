import CSQLite
import Foundation
import SeededRandom
import TestSupport
import Testing

/// The power fails at a random moment of a recorded program, and any subset of what was not synced is lost
/// (`RecordedDisk`).
///
/// SQLite must find the database whole, with every transaction that it had reported as committed, and with nothing of a
/// later one.
@Suite(.offThePool) struct PowerFailureTests {
  enum Journal: String, CaseIterable {
    case delete, truncate, persist, wal

    /// `EXTRA` also syncs the folder after the journal is deleted, without which SQLite lets a commit be undone.
    var synchronous: String { self == .delete ? "EXTRA" : "FULL" }
  }

  static let pageSizes = [1024, 4096, 16384]
  /// Failures for one recorded program.
  private static let failuresPerProgram = 25

  @Test(arguments: Journal.allCases, pageSizes)
  func nothingCommittedIsLost(journal: Journal, pageSize: Int) throws {
    let cases = Journal.allCases.count * Self.pageSizes.count
    let share = (SQLPowerFailures.count + cases - 1) / cases
    var random = SeededGenerator(seed: TestSeed.named("power \(journal) \(pageSize)"))
    var left = share
    while left > 0 {
      let program = Program(journal: journal, pageSize: pageSize, isExclusive: random.oneIn(3))
      try Tool.withFolder { folder in
        let record = try program.record(in: folder, &random)
        for _ in 0..<min(left, Self.failuresPerProgram) { try record.fail(&random) }
      }
      left -= Self.failuresPerProgram
    }
  }

  /// A program that changes a database in numbered transactions.
  struct Program {
    let journal: Journal
    let pageSize: Int
    let isExclusive: Bool

    private static let rows = 400
    private static let transactions = 24

    /// Text that differs from row to row and from one transaction to the next, of some hundred bytes.
    private static func text(_ transaction: Int) -> String {
      "printf('%d-%d-', i, \(transaction)) || substr(hex(zeroblob(600)), 1, 300 + (i * 37 + \(transaction) * 101) % 800)"
    }

    /// Runs the program over the pool's VFS, with a record of all it does.
    func record(in folder: String, _ random: inout SeededGenerator) throws -> Record {
      let path = "\(folder)/a.db"
      // The database is larger than the pool, so pages are written whenever there is need for room.
      let parameters = "pool=256K" + (isExclusive ? "&exclusive=1" : "")
      do {
        let stock = try Database(path, nil)
        try stock.run(
          """
          PRAGMA page_size=\(pageSize); PRAGMA auto_vacuum=INCREMENTAL; PRAGMA journal_mode=\(journal == .wal ? "WAL" : "DELETE");
          PRAGMA synchronous=OFF;
          CREATE TABLE turn(number INTEGER); INSERT INTO turn VALUES(0);
          CREATE TABLE t(i INTEGER PRIMARY KEY, b TEXT); CREATE INDEX tb ON t(b);
          WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<\(Self.rows))
            INSERT INTO t SELECT i, \(Self.text(0)) FROM n;
          PRAGMA wal_checkpoint(TRUNCATE)
          """)
      }
      let disk = try RecordedDisk(folder: folder, name: "a.db")
      try #require(Database.registration == SQLITE_OK && RecordingVFS.isRegistered)
      let states = try RecordingVFS.record(path, on: disk) {
        let database = try Database(path, parameters, vfs: RecordingVFS.pooledName)
        let reader = try Database(path, parameters, vfs: RecordingVFS.pooledName)
        for each in [database, reader] { try each.run("PRAGMA mmap_size=100000000; PRAGMA cache_size=5") }
        try database.run("PRAGMA journal_mode=\(journal); PRAGMA synchronous=\(journal.synchronous)")
        try database.run("PRAGMA wal_autocheckpoint=20")
        var states = [try database.dump()]
        for number in 1...Self.transactions {
          try transact(number, database, reader, &random)
          disk.commit(number)
          states.append(try database.dump())
        }
        return states
      }
      #expect(disk.syncs > Self.transactions)
      return Record(disk: disk, states: states, parameters: parameters)
    }

    /// One transaction, and now and then what changes the file outside of any.
    private func transact(
      _ number: Int, _ database: Database, _ reader: Database, _ random: inout SeededGenerator
    ) throws {
      let low = random.below(Self.rows)
      // Not with a WAL: if a page that was written twice is undone, SQLite 3.40 leaves the frames in its place without
      // checksums (`sqlite3WalSavepointUndo` keeps `iReCksum`). No recovery finds that transaction. The pool has no
      // part in a WAL.
      let undo = journal == .wal ? "" : "ROLLBACK TO s; "
      let change = [
        "UPDATE t SET b=\(Self.text(number)) WHERE i BETWEEN \(low) AND \(low + random.below(90))",
        "DELETE FROM t WHERE i BETWEEN \(low) AND \(low + random.below(60))",
        "WITH RECURSIVE n(i) AS (SELECT \(low) UNION ALL SELECT i+1 FROM n WHERE i<\(low + random.below(90))) "
          + "INSERT OR REPLACE INTO t SELECT i, \(Self.text(number)) FROM n",
        "SAVEPOINT s; DELETE FROM t WHERE i>\(low); \(undo)RELEASE s; PRAGMA incremental_vacuum(5)",
      ][random.below(4)]
      // An older reader lets only a part of the WAL be checkpointed.
      let isWatched = journal == .wal && random.oneIn(3)
      if isWatched { try reader.run("BEGIN; SELECT sum(length(b)) FROM t") }
      try database.run("BEGIN IMMEDIATE; \(change); UPDATE turn SET number=\(number); COMMIT")
      if journal == .wal, random.oneIn(3) {
        let kind = isWatched ? "PASSIVE" : ["FULL", "RESTART", "TRUNCATE"][random.below(3)]
        try database.run("PRAGMA wal_checkpoint(\(kind))")
      }
      if isWatched { try reader.run("COMMIT") }
      if random.oneIn(12) { try database.run("VACUUM") }
    }
  }

  /// A program's steps, and what was in the database after each transaction.
  struct Record {
    let disk: RecordedDisk
    let states: [[[String?]]]
    let parameters: String

    /// The power fails once. SQLite opens what is left: stock, or with the pool.
    func fail(_ random: inout SeededGenerator) throws {
      let end = random.below(disk.count + 1)
      let remains = disk.remains(after: end, random: &random)
      let isPooled = random.oneIn(2)
      try Tool.withFolder { folder in
        for (name, bytes) in remains.files {
          try Data(bytes).write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
        }
        let database = try Database("\(folder)/\(disk.name)", isPooled ? parameters : nil)
        let text = "after \(end) of \(disk.count) steps, \(remains.losses) lost, \(isPooled ? "pooled" : "stock")"
        // What was never synced needs no sync here.
        let answer = database.answer("PRAGMA synchronous=OFF; PRAGMA integrity_check")
        try #require(answer == Database.Answer(rows: [["ok"]]), "\(text): \(answer)")
        let number = try database.number("SELECT number FROM turn")
        // The next one may have been over but for the report.
        let committed = remains.committed
        #expect((committed...committed + 1).contains(number), "\(number) of \(committed), \(text)")
        #expect(try number < states.count && database.dump() == states[number], "\(text)")
      }
    }
  }
}
