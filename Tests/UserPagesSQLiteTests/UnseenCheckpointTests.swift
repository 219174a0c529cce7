import CSQLite
import Foundation
import SeededRandom
import TestSupport
import Testing

/// Another process commits, checkpoints and ends while no connection here reads. This process then checkpoints with the
/// database for itself alone (EXCLUSIVE), where SQLite takes no lock of the WAL's.
///
/// What is left in the WAL by then is what the other process could not checkpoint at its end: the connection here had
/// SHARED.
@Suite(.offThePool) struct UnseenCheckpointTests {
  /// How this process comes to a checkpoint under EXCLUSIVE.
  enum Way: CaseIterable {
    case close, leaveWAL, lockingMode
  }

  @Test(arguments: [512, 1024, 4096], Way.allCases)
  func thePoolIsOfTheFileThatTheOtherLeft(pageSize: Int, way: Way) throws {
    for grows in [true, false] {
      try Tool.withFolder { folder in
        let path = "\(folder)/a.db"
        var database: Database? = try Database(path, "pool=1M")
        try database?.run(
          "PRAGMA page_size=\(pageSize); PRAGMA journal_mode=WAL; PRAGMA mmap_size=100000000; "
            + "CREATE TABLE v(x); INSERT INTO v VALUES(0); CREATE TABLE t(a INTEGER PRIMARY KEY, n, b); "
            + "\(Self.insert(1...20)); PRAGMA wal_checkpoint(TRUNCATE); SELECT sum(n) FROM t")
        do {
          let other = try SQLShell(path)
          let more = grows ? Self.insert(21...400) : ""
          _ = try other.ask(
            "PRAGMA wal_autocheckpoint=0; \(more); UPDATE t SET n=n+1; PRAGMA wal_checkpoint(TRUNCATE); "
              + "UPDATE t SET n=n+1 WHERE a%4=0; UPDATE v SET x=1;")
          try other.quit()
        }
        let rows = grows ? 400 : 20
        switch way {
        case .close: break
        case .leaveWAL:
          let found = try database?.run("PRAGMA journal_mode=DELETE; SELECT count(*), sum(n) FROM t; SELECT x FROM v")
          #expect(found == [["delete"], ["\(rows)", "\(2 * rows + rows / 4)"], ["1"]], "grows: \(grows)")
        case .lockingMode:
          try database?.run("PRAGMA locking_mode=EXCLUSIVE; UPDATE v SET x=2; PRAGMA wal_checkpoint")
        }
        database = nil
        let stock = try Database(path, nil)
        try stock.expectIntact()
        let found = try stock.run("SELECT count(*), sum(n), sum(length(b)) FROM t; SELECT x FROM v")
        let expected = ["\(rows)", "\(2 * rows + rows / 4)", "\(rows * 700)"]
        #expect(found == [expected, [way == .lockingMode ? "2" : "1"]], "grows: \(grows)")
      }
    }
  }

  /// Another process is killed in a checkpoint, when it has written every page and not yet said so.
  @Test(arguments: [1024, 4096])
  func aCheckpointFollowsOneThatWasKilled(pageSize: Int) throws {
    try Tool.withFolder { folder in
      let (path, copy) = ("\(folder)/a.db", "\(folder)/copy.db")
      let database = try Database(path, "pool=1M")
      try database.run(
        "PRAGMA page_size=\(pageSize); PRAGMA journal_mode=WAL; CREATE TABLE t(a INTEGER PRIMARY KEY, n, b); "
          + "\(Self.insert(1...20)); PRAGMA wal_checkpoint(TRUNCATE); SELECT sum(n) FROM t; "
          + "PRAGMA wal_autocheckpoint=0; \(Self.insert(21...400))")
      let other = try SQLShell()
      _ = try other.ask(".system cp \(path) \(copy); cp \(path)-wal \(copy)-wal")
      _ = try other.ask(".open \(copy)\nPRAGMA wal_checkpoint(TRUNCATE);")
      _ = try other.ask(".system cat \(copy) > \(path)")
      try other.quit()
      try database.noteAttemptedCheckpoint()
      #expect(try database.run("PRAGMA wal_checkpoint(FULL)")[0][0] == "0")
      #expect(try database.run("SELECT count(*), sum(n) FROM t") == [["400", "400"]])
      try database.expectIntact()
      try Database(path, nil).expectIntact()
    }
  }

  private static func insert(_ rows: ClosedRange<Int>) -> String {
    "WITH RECURSIVE n(i) AS (SELECT \(rows.lowerBound) UNION ALL SELECT i+1 FROM n WHERE i<\(rows.upperBound)) "
      + "INSERT INTO t SELECT i, 1, zeroblob(700) FROM n"
  }

  /// Steps of this process and of another one in a random order, most of them without a read here in between. A third
  /// database says what is in it after them.
  @Test func randomStepsOfTwoProcesses() throws {
    for number in 0..<SQLPrograms.count {
      let seed = TestSeed.named("steps \(number)")
      try Tool.withFolder { folder in try Self.takeSteps(SplitMix64(seed: seed), "seed \(seed)", in: folder) }
    }
  }

  private static func takeSteps(_ random: SplitMix64, _ name: String, in folder: String) throws {
    var random = random
    let path = "\(folder)/a.db"
    let expected = try Database("\(folder)/expected.db", nil)
    var database: Database? = try Database(path, "pool=256K")
    var other: SQLShell? = try SQLShell(path)
    let schema = "CREATE TABLE t(a INTEGER PRIMARY KEY, n, b)"
    try expected.run("PRAGMA synchronous=OFF; \(schema)")
    try database?.run("PRAGMA page_size=\([512, 1024, 4096][random.below(3)]); PRAGMA journal_mode=WAL; \(schema)")
    var steps: [String] = []
    for _ in 0..<40 {
      let change = Self.change(&random)
      switch random.below(16) {
      case 0...3:
        steps.append("here: \(change)")
        try (try database ?? Database(path, "pool=256K")).run("PRAGMA synchronous=OFF; \(change)")
        try expected.run(change)
      case 4...8:
        steps.append("there: \(change)")
        if other == nil { other = try SQLShell(path) }
        let answer = try other?.ask("PRAGMA synchronous=OFF; PRAGMA wal_autocheckpoint=0; \(change);")
        try #require(answer == "0\n", "\(name): \(steps)")
        try expected.run(change)
      case 9:
        let sql = "PRAGMA wal_checkpoint(\(["PASSIVE", "TRUNCATE"][random.below(2)]))"
        steps.append("there: \(sql)")
        _ = try other?.ask("\(sql);")
      case 10:
        steps.append("the other quits")
        try other?.quit()
        other = nil
      case 11:
        steps.append("a connection here ends")
        database = nil
      case 12:
        steps.append("a connection here begins")
        if database == nil { database = try Database(path, "pool=256K") }
      case 13:
        let sql = ["PRAGMA journal_mode=DELETE", "PRAGMA journal_mode=WAL", "PRAGMA wal_checkpoint"][random.below(3)]
        steps.append("here: \(sql)")
        database?.setTimeout(milliseconds: 0)
        _ = database?.answer(sql)
        database?.setTimeout(milliseconds: 10_000)
      case 14:
        steps.append("here, alone: \(change)")
        try other?.quit()
        other = nil
        guard let alone = database else { continue }
        // Without a read before, the index is one in the connection's memory, and the lock stays.
        let hasIndex = random.oneIn(2)
        if hasIndex { try alone.run("SELECT 1 FROM t") }
        try alone.run("PRAGMA locking_mode=EXCLUSIVE; \(change); PRAGMA wal_checkpoint; PRAGMA locking_mode=NORMAL")
        try expected.run(change)
        // The lock goes with the next transaction that may write.
        if hasIndex { try alone.run("DELETE FROM t WHERE a<0") } else { database = nil }
      default:
        steps.append("here: a read")
        guard let database else { continue }
        let query = "SELECT count(*), sum(n), sum(length(b)) FROM t"
        #expect(try database.run(query) == expected.run(query), "\(name): \(steps)")
      }
    }
    try other?.quit()
    if let database { #expect(try database.dump() == expected.dump(), "\(name): \(steps)") }
    database = nil
    let stock = try Database(path, nil)
    #expect(try stock.run("PRAGMA integrity_check") == [["ok"]], "\(name): \(steps)")
    #expect(try stock.dump() == expected.dump(), "\(name): \(steps)")
  }

  private static func change(_ random: inout SplitMix64) -> String {
    let low = random.below(300)
    switch random.below(4) {
    case 0, 1:
      return "WITH RECURSIVE n(i) AS (SELECT \(low) UNION ALL SELECT i+1 FROM n WHERE i<\(low + random.below(90))) "
        + "INSERT OR REPLACE INTO t SELECT i, \(random.below(100)), zeroblob(\([10, 300, 2000][random.below(3)])) FROM n"
    case 2: return "UPDATE t SET n=n+1 WHERE a%\(1 + random.below(30))=0"
    default: return "DELETE FROM t WHERE a BETWEEN \(low) AND \(low + random.below(200))"
    }
  }
}

extension Database {
  /// Has the WAL's index say that a checkpoint of every frame has begun.
  fileprivate func noteAttemptedCheckpoint() throws {
    var pointer: UnsafeMutablePointer<sqlite3_file>?
    try #require(sqlite3_file_control(handle, "main", SQLITE_FCNTL_FILE_POINTER, &pointer) == SQLITE_OK)
    let file = try #require(pointer)
    var start: UnsafeMutableRawPointer?
    try #require(file.pointee.pMethods.pointee.xShmMap(file, 0, 32 << 10, 0, &start) == SQLITE_OK)
    let index = try #require(start)
    index.storeBytes(of: index.load(fromByteOffset: 16, as: UInt32.self), toByteOffset: 128, as: UInt32.self)
  }
}
