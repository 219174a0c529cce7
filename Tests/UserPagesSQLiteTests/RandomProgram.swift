import SeededRandom

/// A program of random SQL statements, the same for the same seed.
///
/// It asks for nothing that two runs of stock SQLite may answer differently.
struct RandomProgram {
  /// Stands for the URI of a second database, which is attached as `x`.
  static let attached = "@"
  /// Each sync waits for the disk, so most programs make none.
  private static let syncs = ["OFF", "OFF", "OFF", "OFF", "OFF", "OFF", "NORMAL", "FULL"]

  let statements: [String]

  init(seed: UInt64) {
    var generator = Generator(random: SplitMix64(seed: seed))
    statements = generator.program()
  }

  private struct Generator {
    var random: SplitMix64
    var savepoints = 0
    var isInTransaction = false

    mutating func one<T>(of choices: [T]) -> T { choices[random.below(choices.count)] }

    mutating func program() -> [String] {
      var statements = [
        "PRAGMA page_size=\(one(of: StatementTests.pageSizes))",
        "PRAGMA auto_vacuum=\(random.below(3))",
        "PRAGMA journal_mode=\(one(of: ["DELETE", "WAL", "TRUNCATE", "PERSIST", "MEMORY"]))",
        "PRAGMA synchronous=\(one(of: RandomProgram.syncs))",
        "PRAGMA cache_size=\(one(of: [2, 10, 200]))", "PRAGMA mmap_size=\(one(of: [0, 50_000, 1 << 28, 1 << 28]))",
        "PRAGMA locking_mode=\(random.oneIn(6) ? "EXCLUSIVE" : "NORMAL")",
        "CREATE TABLE t(a INTEGER PRIMARY KEY, b, c)", "CREATE TABLE u(a, b UNIQUE)", "CREATE INDEX ti ON t(b, c)",
      ]
      for _ in 0..<20 + random.below(40) { statements.append(statement()) }
      statements.append(isInTransaction ? one(of: ["COMMIT", "ROLLBACK"]) : "SELECT 1")
      return statements
    }

    mutating func statement() -> String {
      let (low, size) = (random.below(500), one(of: [10, 100, 900, 5000]))
      switch random.below(26) {
      case 0...4:
        return "WITH RECURSIVE n(i) AS (SELECT \(low) UNION ALL SELECT i+1 FROM n WHERE i<\(low + random.below(120))) "
          + "INSERT OR REPLACE INTO t SELECT i, i*\(1 + random.below(99))%101, zeroblob(\(size)) FROM n"
      case 5: return "UPDATE t SET b=b+1, c=zeroblob(\(size)) WHERE a BETWEEN \(low) AND \(low + 60)"
      case 6: return "DELETE FROM t WHERE a BETWEEN \(low) AND \(low + random.below(300))"
      case 7: return "INSERT OR IGNORE INTO u SELECT a, b FROM t WHERE a>\(low)"
      case 8: return "INSERT INTO u SELECT a, b FROM t LIMIT 5"
      case 9: return "SELECT count(*), sum(a), sum(b), sum(length(c)) FROM t"
      case 10: return "SELECT a, b FROM t WHERE b>\(random.below(100)) ORDER BY b, c LIMIT 20"
      case 11: return "SELECT count(*) FROM t JOIN u ON t.b=u.b"
      case 12: return "DELETE FROM u"
      case 13, 14:
        if isInTransaction { return end() }
        isInTransaction = true
        return one(of: ["BEGIN", "BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"])
      case 15:
        guard isInTransaction else { return "PRAGMA integrity_check" }
        savepoints += 1
        return "SAVEPOINT s"
      case 16:
        guard savepoints > 0 else { return "SELECT max(a) FROM t" }
        if random.oneIn(2) { return "ROLLBACK TO s" }
        savepoints -= 1
        return "RELEASE s"
      case 17: return isInTransaction ? "SELECT min(a) FROM t" : "VACUUM"
      case 18: return "PRAGMA incremental_vacuum(\(random.below(40)))"
      case 19:
        if isInTransaction { return "SELECT count(*) FROM u" }
        return one(of: [
          "PRAGMA journal_mode=WAL", "PRAGMA journal_mode=DELETE", "PRAGMA wal_checkpoint(PASSIVE)",
          "PRAGMA wal_checkpoint(TRUNCATE)", "PRAGMA wal_checkpoint(RESTART)",
        ])
      case 20:
        // What is attached begins with FULL, whatever the first database has. Last: in a transaction it is an error.
        return "ATTACH '\(RandomProgram.attached)' AS x; CREATE TABLE IF NOT EXISTS x.w(a, b); "
          + "PRAGMA x.synchronous=\(one(of: RandomProgram.syncs))"
      case 21: return "INSERT INTO x.w SELECT a, c FROM main.t WHERE a>\(low) LIMIT 60"
      case 22: return "SELECT count(*), sum(a), sum(length(b)) FROM x.w"
      case 23: return random.oneIn(3) ? "DETACH x" : "DELETE FROM x.w WHERE a<\(low)"
      case 24: return "CREATE TABLE IF NOT EXISTS v AS SELECT * FROM t WHERE a%2"
      default: return "DROP TABLE IF EXISTS v"
      }
    }

    mutating func end() -> String {
      isInTransaction = false
      savepoints = 0
      return one(of: ["COMMIT", "COMMIT", "ROLLBACK"])
    }
  }
}
