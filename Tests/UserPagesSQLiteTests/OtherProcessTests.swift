import CSQLite
import Foundation
import Synchronization
import TestSupport
import Testing

/// Another process that changes the file beside this one: stock `sqlite3`, or the VFS loaded by it. No page is stale,
/// and no lock is lost.
@Suite(.offThePool) struct OtherProcessTests {
  /// Accounts with balances of the same sum after each transaction, and a number that each transaction raises.
  ///
  /// The rows are so long that most pages hold one.
  static let schema = """
    CREATE TABLE account(id INTEGER PRIMARY KEY, balance INTEGER, filler);
    CREATE TABLE turn(number INTEGER);
    INSERT INTO turn VALUES(0);
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<64)
      INSERT INTO account SELECT i, 100, zeroblob(700) FROM n;
    """

  static func transfer(_ number: Int) -> String {
    let (from, to) = (number * 7 % 64 + 1, number * 13 % 64 + 1)
    return "BEGIN IMMEDIATE; UPDATE account SET balance=balance-\(number) WHERE id=\(from); "
      + "UPDATE account SET balance=balance+\(number) WHERE id=\(to); UPDATE turn SET number=\(number); COMMIT;"
  }

  /// Each step of the other process is seen by the next statement here, and the other way round.
  @Test(arguments: ["DELETE", "WAL", "TRUNCATE", "PERSIST"], [1024, 4096])
  func stepsAreSeenAtOnce(journal: String, pageSize: Int) throws {
    try Tool.withFolder { folder in
      let path = "\(folder)/a.db"
      let database = try Database(path, "pool=1M")
      try database.run("PRAGMA page_size=\(pageSize); PRAGMA journal_mode=\(journal); \(Self.schema)")
      try database.run("PRAGMA mmap_size=100000000; PRAGMA synchronous=OFF; PRAGMA cache_size=4")
      let other = try SQLShell(path)
      _ = try other.ask("PRAGMA synchronous=OFF; PRAGMA wal_autocheckpoint=3; PRAGMA cache_size=4;")
      for number in 1..<60 {
        if number % 3 == 0 { try database.run(Self.transfer(number)) } else { _ = try other.ask(Self.transfer(number)) }
        if number % 10 == 0 { #expect(try other.ask("PRAGMA wal_checkpoint(RESTART);") != "") }
        if number % 25 == 0, journal != "WAL" { _ = try other.ask("VACUUM;") }
        #expect(
          try database.run("SELECT sum(balance), (SELECT number FROM turn) FROM account") == [["6400", "\(number)"]])
        #expect(try other.ask("SELECT sum(balance), (SELECT number FROM turn) FROM account;") == "6400|\(number)\n")
      }
      #expect(try database.statistic("invalidations") > 5)
      try database.expectIntact()
      #expect(try other.ask("PRAGMA integrity_check;") == "ok\n")
    }
  }

  /// Readers here, a writer there, without any order but SQLite's.
  @Test(arguments: ["DELETE", "WAL"], ["slot", "reference"])
  func readersMeetAWriterOfAnotherProcess(journal: String, engine: String) throws {
    try Tool.withFolder { folder in
      let path = "\(folder)/a.db"
      let parameters = "pool=256K&engine=\(engine)"
      let first = try Database(path, parameters)
      try first.run("PRAGMA page_size=1024; PRAGMA journal_mode=\(journal); \(Self.schema)")
      let other = try SQLShell(path)
      _ = try other.ask("PRAGMA synchronous=OFF; PRAGMA wal_autocheckpoint=5; PRAGMA cache_size=4;")
      let isOver = Atomic(false)
      let reads = Atomic(0)
      let readers = (0..<3).map { number in
        // Each thread has a connection, as SQLite wants it.
        CheckedThread {
          let database = try Database(path, parameters)
          try database.run("PRAGMA mmap_size=100000000; PRAGMA cache_size=4; PRAGMA synchronous=OFF")
          var last = 0
          while !isOver.load(ordering: .acquiring) {
            let answer = database.answer("SELECT sum(balance), (SELECT number FROM turn) FROM account")
            // A busy writer is no error of the pool's.
            if answer.code & 0xff == SQLITE_BUSY { continue }
            let turn = Int(answer.rows.first?[1] ?? "") ?? -1
            #expect(answer.code == SQLITE_OK && answer.value == "6400" && turn >= last, "\(answer) after \(last)")
            last = turn
            reads.wrappingAdd(1, ordering: .relaxed)
            // Under its own lock a writer reads what it wrote.
            if number == 0, last % 16 == 0 { _ = database.answer("BEGIN IMMEDIATE; ROLLBACK") }
          }
        }
      }
      // As long as the readers need to come to it.
      var last = 0
      while last < 150 || reads.load(ordering: .relaxed) == 0 && last < 50_000 {
        last += 1
        _ = try other.ask(Self.transfer(last))
      }
      isOver.store(true, ordering: .releasing)
      for reader in readers { try reader.join() }
      #expect(reads.load(ordering: .relaxed) > 0)
      #expect(try first.run("SELECT number FROM turn") == [["\(last)"]])
      #expect(try other.ask("PRAGMA integrity_check;") == "ok\n")
    }
  }

  /// The pool's descriptor, and those of connections that close, take no lock of another connection with them.
  @Test func locksOutliveConnectionsThatClose() throws {
    try Tool.withFolder { folder in
      let path = "\(folder)/a.db"
      let stock = try Database(path, nil)
      try stock.run("CREATE TABLE t(a)")
      let other = try SQLShell(path)
      _ = try other.ask(".timeout 0")
      // A connection of the default VFS has the lock, and the last one of the pool closes.
      do {
        let pooled = try Database(path)
        try stock.run("BEGIN IMMEDIATE; INSERT INTO t VALUES(1)")
        #expect(try pooled.number("SELECT count(*) FROM t") == 0)
      }
      #expect(try other.ask("INSERT INTO t VALUES(2);").contains("locked"))
      try stock.run("COMMIT")
      // One of the pool's has it, and another one closes.
      let pooled = try Database(path)
      try pooled.run("BEGIN IMMEDIATE; INSERT INTO t VALUES(3)")
      do { #expect(try Database(path).number("SELECT count(*) FROM t") == 1) }
      #expect(try other.ask("INSERT INTO t VALUES(4);").contains("locked"))
      try pooled.run("COMMIT")
      _ = try other.ask("INSERT INTO t VALUES(5);")
      #expect(try pooled.run("SELECT a FROM t") == [["1"], ["3"], ["5"]])
    }
  }

  /// The pool's descriptor does not stay once nothing needs it.
  @Test func descriptorsAreClosed() throws {
    try Tool.withFolder { folder in
      let path = "\(folder)/a.db"
      do { try Database(path).run("CREATE TABLE t(a)") }
      let open = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").filter {
        (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)"))?.hasPrefix(folder) == true
      }
      #expect(open == [])
    }
  }

  /// The process is killed at a random moment. What it had committed is there, and the file is whole.
  @Test(arguments: ["DELETE", "WAL"])
  func aKilledProcessLosesNothing(journal: String) throws {
    var random = SeededGenerator(seed: TestSeed.named("kill \(journal)"))
    for round in 0..<SQLKills.count {
      try Tool.withFolder { folder in
        let path = "\(folder)/a.db"
        let victim = try SQLShell(path, "pool=256K")
        _ = try victim.ask(
          "PRAGMA page_size=\([1024, 4096, 8192][round % 3]); PRAGMA journal_mode=\(journal); \(Self.schema)")
        _ = try victim.ask(
          "PRAGMA synchronous=\(round % 2 == 0 ? "OFF" : "NORMAL"); PRAGMA cache_size=4; PRAGMA wal_autocheckpoint=4;")
        var done = 0
        let last = 1 + random.below(40)
        while done < last {
          done += 1
          _ = try victim.ask(Self.transfer(done))
        }
        // It is somewhere in the next ones.
        for number in done + 1...done + 10 { try victim.send(Self.transfer(number)) }
        usleep(UInt32(random.below(20_000)))
        victim.kill()
        // The pool of this process finds it, and stock does.
        let database = round % 2 == 0 ? try Database(path, "pool=256K") : try Database(path, nil)
        let rows = try database.run("SELECT sum(balance), (SELECT number FROM turn) FROM account")
        #expect(rows[0][0] == "6400")
        #expect(try #require(Int(rows[0][1] ?? "")) >= done, "of \(done) transactions")
        try database.expectIntact()
        #expect(try Database(path, nil).run("PRAGMA integrity_check") == [["ok"]])
      }
    }
  }
}
