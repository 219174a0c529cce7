import CSQLite
import Foundation
import Synchronization
import TestSupport
import Testing
import UserPages

@testable import UserPagesSQLite

/// Checkpoints with writes or syncs that fail: SQLite hears of it, and no page is written later, under no lock.
extension ErrorTests {
  private static let walSchema =
    "PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0; CREATE TABLE t(a INTEGER PRIMARY KEY, b); \(fill)"

  /// Another process commits and checkpoints the pages anew. This process closes without another read.
  @Test(arguments: [4096, 8192], [FailingStore.Failures.writes, .syncs])
  func aPageOfAFailedCheckpointIsNotWrittenLater(pageSize: Int, failures: FailingStore.Failures) throws {
    try withFailingStore { path in
      let other: SQLShell
      do {
        let database = try Database(path, "pool=1M")
        try database.run("PRAGMA page_size=\(pageSize); \(Self.walSchema); PRAGMA wal_checkpoint(TRUNCATE)")
        try database.run("UPDATE t SET b=zeroblob(901)")
        FailingStore.fail(failures)
        let answer = database.answer("PRAGMA synchronous=FULL; PRAGMA wal_checkpoint(PASSIVE)")
        #expect(answer.code == (failures == .writes ? ResultCode.write : ResultCode.sync))
        FailingStore.fail([])
        #expect(try database.statistic("dirty_pages") == 0)
        other = try SQLShell(path)
        _ = try other.ask("PRAGMA wal_autocheckpoint=0; UPDATE t SET b=zeroblob(902);")
        #expect(try other.ask("PRAGMA wal_checkpoint(RESTART);").hasPrefix("0|"))
        _ = try other.ask("UPDATE t SET b=zeroblob(903) WHERE a=400;")
      }
      let stock = try Database(path, nil)
      try stock.expectIntact()
      #expect(try stock.number("SELECT sum(length(b)) FROM t") == 399 * 902 + 903)
    }
  }

  /// The first part of a checkpoint is in the file without a sync when that of the second part fails, once.
  @Test func aFailedSyncWritesTheCheckpointsEarlierPartAgain() throws {
    try withFailingStore { path in
      let database = try Database(path, "pool=1M")
      try database.run("\(Self.walSchema); PRAGMA wal_checkpoint(TRUNCATE); PRAGMA synchronous=FULL")
      try database.run("UPDATE t SET b=zeroblob(901) WHERE a<=200")
      let reader = try Database(path)
      try reader.run("BEGIN; SELECT count(*) FROM t")
      try database.run("UPDATE t SET b=zeroblob(902) WHERE a>200")
      FailingStore.written.withLock { $0 = [] }
      let answer = try database.run("PRAGMA wal_checkpoint(PASSIVE)")
      #expect(answer[0][0] == "0" && answer[0][1] != answer[0][2], "only a part")
      let part = Set(FailingStore.written.withLock { $0 })
      #expect(part.count > 20)
      try reader.run("COMMIT")
      FailingStore.written.withLock { $0 = [] }
      FailingStore.fail([.syncs, .once])
      #expect(database.answer("PRAGMA wal_checkpoint(PASSIVE)").code == ResultCode.sync)
      let writtenAgain = FailingStore.written.withLock { $0 }
      #expect(part.isSubset(of: writtenAgain))
      #expect(try database.statistic("dirty_pages") == 0)
      try database.run("PRAGMA wal_checkpoint(TRUNCATE)")
      try Database(path, nil).expectIntact()
    }
  }

  /// With `synchronous=OFF` no sync follows a checkpoint, and the last connection deletes the WAL after it.
  @Test(arguments: ["pool=1M", "pool=1M&exclusive=1"], [false, true])
  func aFailedCheckpointWithoutSyncsKeepsTheWAL(parameters: String, leavesWAL: Bool) throws {
    try withFailingStore { path in
      do {
        let database = try Database(path, parameters)
        try database.run("\(Self.walSchema); PRAGMA synchronous=OFF; UPDATE t SET b=zeroblob(901)")
        FailingStore.fail(.room)
        if leavesWAL { #expect(database.answer("PRAGMA journal_mode=DELETE").code == SQLITE_FULL) }
      }
      FailingStore.fail([])
      let stock = try Database(path, nil)
      #expect(try stock.number("SELECT sum(length(b)) FROM t") == 400 * 901)
      try stock.expectIntact()
    }
  }

  /// What an exclusive pool could not write is gone before other processes may write.
  @Test func anExclusivePoolThatEndsLateWritesNothing() throws {
    try withFailingStore { path in
      var options = DatabaseOptions()
      options.isExclusive = true
      try Database(path, nil).run("PRAGMA user_version=1")
      let pool = try PoolRegistry.connect(path, options)
      do {
        let database = try Database(path, "exclusive=1")
        try database.run(Self.walSchema)
        FailingStore.fail(.writes)
      }
      #expect(pool.cache.dirtyPages > 0)
      PoolRegistry.disconnect(pool.identity)
      #expect(pool.cache.dirtyPages == 0)
    }
  }

  #if DEBUG
    /// Another connection of the pool flushes between a failed sync and its report, and gets an error of its own.
    @Test func aFailedSyncIsReportedToTheConnectionThatSyncs() throws {
      try withFailingStore { path in
        let first = try Database(path, "pool=1M&exclusive=1")
        try first.run("\(Self.walSchema); PRAGMA synchronous=FULL")
        let freezer = Freezer()
        defer { freezer.remove() }
        let code = Atomic<Int32>(SQLITE_OK)
        FailingStore.fail(.syncs)
        let checkpoint: StagedThread
        do {
          let second = try Database(path, "exclusive=1")
          #expect(try second.number("SELECT count(*) FROM t") == 400)
          checkpoint = freezer.start("checkpoint", freezeAt: .syncBetweenWritesAndReport) {
            code.store(first.answer("PRAGMA wal_checkpoint(FULL)").code, ordering: .sequentiallyConsistent)
          }
          #expect(checkpoint.waitUntilFrozen())
        }
        FailingStore.fail([])
        checkpoint.thaw()
        try checkpoint.join()
        #expect(code.load(ordering: .sequentiallyConsistent) == ResultCode.sync)
        try first.expectIntact()
      }
    }
  #endif
}
