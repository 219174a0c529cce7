import CSQLite
import Foundation
import Synchronization
import TestSupport
import Testing
import UserPages

@testable import UserPagesSQLite

/// `exclusive=1`: one process: its connections have locks and the WAL's index among themselves.
@Suite(.offThePool) struct ExclusiveTests {
  @Test(arguments: ["DELETE", "WAL"], [1024, 4096, 8192])
  func answersAreThoseOfStock(journal: String, pageSize: Int) throws {
    try Tool.withFolder { folder in
      let stock = try Database("\(folder)/stock.db", nil)
      let pooled = try Database("\(folder)/pooled.db", "pool=256K&exclusive=1")
      for statement in StatementTests.script(pageSize: pageSize, journal: journal) {
        #expect(pooled.answer(statement) == stock.answer(statement), "\(statement)")
      }
      #expect(try pooled.dump() == stock.dump())
      #expect(try pooled.statistic("invalidations") == 0)
    }
  }

  /// Others are refused while the pool is there, and find everything after.
  @Test(arguments: ["DELETE", "WAL"])
  func othersAreRefused(journal: String) throws {
    try Tool.withFolder { folder in
      let path = "\(folder)/a.db"
      let stock = try Database(path, nil)
      stock.setTimeout(milliseconds: 0)
      try stock.run("PRAGMA journal_mode=\(journal); CREATE TABLE t(a); INSERT INTO t VALUES(1)")
      if journal == "WAL" {
        // It has the file's SHARED lock as long as it is open.
        let failure = #expect(throws: Database.Failure.self) { try Database(path, "exclusive=1") }
        #expect(failure?.code == SQLITE_BUSY)
        try stock.run("PRAGMA journal_mode=DELETE")
      }
      let other = try SQLShell(path)
      _ = try other.ask(".timeout 0")
      do {
        let first = try Database(path, "exclusive=1")
        let second = try Database(path)
        try first.run("PRAGMA journal_mode=\(journal); INSERT INTO t VALUES(2)")
        #expect(try second.run("SELECT sum(a) FROM t") == [["3"]])
        #expect(try other.ask("SELECT sum(a) FROM t;").contains("locked"))
        #expect(stock.answer("SELECT sum(a) FROM t").code & 0xff == SQLITE_BUSY)
        #expect(!FileManager.default.fileExists(atPath: "\(path)-shm"))
        // Among themselves SQLite's rules hold.
        second.setTimeout(milliseconds: 0)
        try first.run("BEGIN IMMEDIATE; INSERT INTO t VALUES(3)")
        #expect(second.answer("INSERT INTO t VALUES(4)").code & 0xff == SQLITE_BUSY)
        #expect(try second.run("SELECT sum(a) FROM t") == [["3"]])
        try first.run("COMMIT")
        #expect(try second.run("SELECT sum(a) FROM t") == [["6"]])
      }
      #expect(try other.ask("SELECT sum(a) FROM t;") == "6\n")
      #expect(try other.ask("PRAGMA integrity_check;") == "ok\n")
      // A pool that others may use is not made exclusive.
      let shared = try Database(path)
      try shared.run("SELECT 1 FROM t")
      let failure = #expect(throws: Database.Failure.self) { try Database(path, "exclusive=1") }
      #expect(failure?.code == SQLITE_BUSY)
    }
  }

  /// A pool's end comes after its last connection has left, outside the registry's lock. The next pool may be there by
  /// then, and has the same open file. The file's lock is the next pool's.
  @Test func aPoolThatEndsLateLeavesTheNextItsLock() throws {
    try Tool.withFolder { folder in
      let path = "\(folder)/a.db"
      try Database(path, nil).run("CREATE TABLE t(a); INSERT INTO t VALUES(1)")
      let other = try SQLShell(path)
      _ = try other.ask(".timeout 0")
      // While it is open, the pool's file is parked and not closed.
      let descriptor = open(path, O_RDONLY | O_CLOEXEC)
      try #require(descriptor >= 0)
      defer { close(descriptor) }
      var options = DatabaseOptions()
      options.isExclusive = true
      var first: Pool? = try PoolRegistry.connect(path, options)
      let identity = try #require(first).identity
      PoolRegistry.disconnect(identity)
      #expect(try other.ask("SELECT sum(a) FROM t;") == "1\n")
      let second = try PoolRegistry.connect(path, options)
      defer { PoolRegistry.disconnect(identity) }
      #expect(second.poolFile.descriptor == first?.poolFile.descriptor)
      #expect(second !== first)
      first = nil
      #expect(try other.ask("SELECT sum(a) FROM t;").contains("locked"))
    }
  }

  /// Eight threads of one process, each with a connection of its own: two write, six read.
  ///
  /// `GUP_TORTURE_SECONDS=200` under ThreadSanitizer makes it ten minutes long.
  @Test(arguments: ["DELETE", "WAL"], ["", "exclusive=1&"])
  func threadsTransferBetweenAccounts(journal: String, exclusive: String) throws {
    try Tool.withFolder { folder in
      let path = "\(folder)/a.db"
      let parameters = "\(exclusive)pool=256K"
      let first = try Database(path, parameters)
      try first.run("PRAGMA page_size=1024; PRAGMA journal_mode=\(journal); \(OtherProcessTests.schema)")
      let isOver = Atomic(false)
      let transfers = Atomic(0)
      let threads = (0..<8).map { number in
        CheckedThread {
          let database = try Database(path, parameters)
          try database.run("PRAGMA mmap_size=100000000; PRAGMA cache_size=4; PRAGMA synchronous=OFF")
          try database.run("PRAGMA wal_autocheckpoint=5")
          var turn = 0
          while !isOver.load(ordering: .acquiring) {
            turn += 1
            if number < 2 {
              let answer = database.answer(OtherProcessTests.transfer(1 + turn * 2 + number))
              if answer.code & 0xff == SQLITE_BUSY {
                _ = database.answer("ROLLBACK")
              } else {
                #expect(answer.code == SQLITE_OK)
              }
              if answer.code == SQLITE_OK { transfers.wrappingAdd(1, ordering: .relaxed) }
            } else {
              let answer = database.answer("SELECT sum(balance), count(*) FROM account")
              if answer.code & 0xff != SQLITE_BUSY { #expect(answer == Database.Answer(rows: [["6400", "64"]])) }
            }
          }
        }
      }
      // As long as a few racing pairs of the torture tests.
      usleep(UInt32(TortureTime.perPair * 3_000_000))
      while transfers.load(ordering: .relaxed) < 20 { usleep(1000) }
      isOver.store(true, ordering: .releasing)
      for thread in threads { try thread.join() }
      try first.expectIntact()
      #expect(try first.number("SELECT sum(balance) FROM account") == 6400)
      // Nothing of the connections that are closed is left.
      #expect(try first.statistic("connections") == 1)
      #expect(try first.statistic("pins") == 0)
      #expect(try first.statistic("resident_pages") <= first.statistic("limit_pages"))
    }
  }
}
