import CSQLite
import Foundation
import Synchronization
import TestSupport
import Testing
import UserPages

@testable import UserPagesSQLite

/// What goes wrong with the file comes up as an error of SQLite, and never as a signal.
@Suite(.serialized, .offThePool) struct ErrorTests {
  /// A file that fails its transfers on demand.
  final class FailingStore: PageStore {
    struct Failures: OptionSet, Sendable {
      let rawValue: Int
      static let reads = Failures(rawValue: 1)
      static let writes = Failures(rawValue: 2)
      static let syncs = Failures(rawValue: 4)
      static let room = Failures(rawValue: 8)
      /// The first failure is the only one.
      static let once = Failures(rawValue: 16)
    }

    static let failures = Atomic<Int>(0)
    static let refused = Atomic<Int>(0)
    /// The page of each write that succeeded.
    static let written = Guarded<[Int]>([])
    private let file: DirectFile

    init(_ file: DirectFile) { self.file = file }

    static func fail(_ failures: Failures) { self.failures.store(failures.rawValue, ordering: .sequentiallyConsistent) }

    private static func check(_ failure: Failures, _ step: PageError.FileStep) throws(PageError) {
      let failures = Failures(rawValue: failures.load(ordering: .sequentiallyConsistent))
      guard failures.contains(failure) else { return }
      refused.wrappingAdd(1, ordering: .relaxed)
      if failures.contains(.once) { fail([]) }
      throw .file(step, errno: failure == .room ? ENOSPC : EIO)
    }

    var byteCount: Int { file.byteCount }
    func refreshByteCount() throws(PageError) { try file.refreshByteCount() }

    func read(from page: Int, into pages: borrowing LentPages) throws(PageError) {
      try Self.check(.reads, .read)
      try file.read(from: page, into: pages)
    }

    func write(from page: Int, _ pages: borrowing LentPages) throws(PageError) {
      try Self.check(.writes, .write)
      try Self.check(.room, .write)
      try file.write(from: page, pages)
      Self.written.withLock { $0 += page..<page + pages.count }
    }

    func setByteCount(_ count: Int) throws(PageError) { try file.setByteCount(count) }
    func punchHole(_ pages: Range<Int>) throws(PageError) { try file.punchHole(pages) }

    func sync() throws(PageError) {
      try Self.check(.syncs, .sync)
      try file.sync()
    }
  }

  func withFailingStore(_ body: (_ path: String) throws -> Void) throws {
    try Tool.withFolder { folder in
      let path = "\(folder)/failing.db"
      Pool.storeWrappers.withLock { $0[path] = { FailingStore($0.file) } }
      defer {
        FailingStore.fail([])
        Pool.storeWrappers.withLock { $0[path] = nil }
      }
      try body(path)
    }
  }

  static let fill =
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<400) INSERT INTO t SELECT i, zeroblob(900) FROM n"

  /// A write or a sync that fails is the statement's error. The transaction is undone, and the file is whole.
  @Test(
    arguments: ["DELETE", "WAL"],
    [FailingStore.Failures.writes, .syncs, .room])
  func failedWritesUndoTheTransaction(journal: String, failures: FailingStore.Failures) throws {
    try withFailingStore { path in
      let database = try Database(path, "pool=256K")
      try database.run("PRAGMA journal_mode=\(journal); CREATE TABLE t(a INTEGER PRIMARY KEY, b); \(Self.fill)")
      if journal == "WAL" { try database.run("PRAGMA wal_checkpoint(TRUNCATE)") }
      let before = try database.dump()
      let refused = FailingStore.refused.load(ordering: .relaxed)
      FailingStore.fail(failures)
      let statement = "UPDATE t SET b=zeroblob(901)"
      let code: Int32
      if journal == "WAL" {
        // The WAL takes the transaction. Its checkpoint meets the error.
        try database.run("PRAGMA wal_autocheckpoint=0; \(statement)")
        code = database.answer("PRAGMA wal_checkpoint(FULL)").code
      } else {
        code = database.answer(statement).code
      }
      #expect(FailingStore.refused.load(ordering: .relaxed) > refused)
      let expected: Set<Int32> =
        switch failures {
        case .room: [SQLITE_FULL]
        case .syncs: [ResultCode.sync]
        default: [ResultCode.write]
        }
      #expect(expected.contains(code), "\(code)")
      FailingStore.fail([])
      if journal != "WAL" { #expect(try database.dump() == before) }
      try database.expectIntact()
      #expect(try Database(path, nil).dump() == database.dump())
      #expect(try database.number("SELECT count(*) FROM t WHERE length(b)=\(journal == "WAL" ? 901 : 900)") == 400)
      // It goes on.
      try database.run("UPDATE t SET b=zeroblob(902)")
      try database.expectIntact()
    }
  }

  /// A write that fails is the error of the connection that wrote, and of no other one of the process.
  @Test(arguments: ["DELETE", "WAL"], ["pool=1M", "pool=1M&exclusive=1"])
  func anOlderErrorIsNoneOfAnothersBusiness(journal: String, parameters: String) throws {
    try withFailingStore { path in
      let connections = try (0..<3).map { _ in try Database(path, parameters) }
      try connections[0].run(
        "PRAGMA journal_mode=\(journal); CREATE TABLE t(a INTEGER PRIMARY KEY, b); \(Self.fill); PRAGMA wal_checkpoint")
      func change(_ connection: Database, _ count: Int) -> Int32 {
        let change = "PRAGMA wal_autocheckpoint=0; PRAGMA synchronous=FULL; UPDATE t SET b=zeroblob(\(count))"
        return connection.answer(journal == "WAL" ? "\(change); PRAGMA wal_checkpoint(FULL)" : change).code
      }
      FailingStore.fail(.writes)
      #expect(change(connections[0], 901) == ResultCode.write)
      FailingStore.fail([])
      for (index, connection) in connections.enumerated() {
        #expect(change(connection, 902 + index) == SQLITE_OK, "\(index)")
      }
      // A failed sync may have lost what another connection wrote: each hears of it.
      FailingStore.fail(.syncs)
      #expect(change(connections[0], 911) == ResultCode.sync)
      FailingStore.fail([])
      for connection in connections[1...] {
        #expect(change(connection, 912) == ResultCode.sync)
        #expect(change(connection, 913) == SQLITE_OK)
      }
      try connections[0].expectIntact()
      #expect(try connections[0].number("SELECT sum(length(b)) FROM t") == 400 * 913)
    }
  }

  /// A checkpoint of a part of the WAL, without a sync, fails with its writes: other processes must not look for the
  /// pages in the file.
  @Test func aPartOfACheckpointThatFailsIsAnError() throws {
    try withFailingStore { path in
      let database = try Database(path, "pool=1M")
      try database.run("PRAGMA journal_mode=WAL; CREATE TABLE t(a INTEGER PRIMARY KEY, b); \(Self.fill)")
      try database.run("PRAGMA wal_autocheckpoint=0; UPDATE t SET b=zeroblob(901)")
      let reader = try Database(path, nil)
      try reader.run("BEGIN; SELECT count(*) FROM t")
      try database.run("UPDATE t SET b=zeroblob(902)")
      FailingStore.fail(.writes)
      #expect(database.answer("PRAGMA wal_checkpoint(PASSIVE)").code == ResultCode.write)
      let other = try Database(path, nil)
      #expect(try other.number("SELECT count(*) FROM t WHERE length(b)=902") == 400)
      try other.expectIntact()
      FailingStore.fail([])
      #expect(database.answer("PRAGMA wal_checkpoint(PASSIVE)").code == SQLITE_OK)
      try other.expectIntact()
    }
  }

  /// A page that the pool cannot read is read by the default VFS. Its error, if any, is the answer.
  @Test func failedReadsAreTriedByTheDefaultVFS() throws {
    try withFailingStore { path in
      try Database(path, nil).run("CREATE TABLE t(a INTEGER PRIMARY KEY, b); \(Self.fill)")
      let database = try Database(path, "pool=256K")
      try database.run("PRAGMA mmap_size=100000000; PRAGMA cache_size=4")
      let before = try (database.statistic("fetches"), database.statistic("resident_pages"))
      FailingStore.fail(.reads)
      #expect(try database.number("SELECT sum(length(b)) FROM t") == 400 * 900)
      // What was read with the header, and nothing since.
      #expect(try database.statistic("fetches") <= before.0 + before.1)
      #expect(try database.statistic("resident_pages") == before.1)
      FailingStore.fail([])
      #expect(try database.number("SELECT sum(length(b)) FROM t") == 400 * 900)
      #expect(try database.statistic("fetches") > before.0 + 50)
    }
  }

  /// A file that is cut under open connections is an error for each, and no signal.
  @Test(arguments: ["DELETE", "WAL"], [true, false])
  func aFileThatIsCutIsAnError(journal: String, fetches: Bool) throws {
    try Tool.withFolder { folder in
      let path = "\(folder)/a.db"
      let database = try Database(path, "pool=256K")
      try database.run("PRAGMA journal_mode=\(journal); CREATE TABLE t(a INTEGER PRIMARY KEY, b); \(Self.fill)")
      if journal == "WAL" { try database.run("PRAGMA wal_checkpoint(TRUNCATE)") }
      let isOver = Atomic(false)
      let errors = Atomic(0)
      let readers = (0..<3).map { _ in
        CheckedThread {
          let reader = try Database(path, "pool=256K")
          try reader.run("PRAGMA cache_size=4; PRAGMA mmap_size=\(fetches ? 100_000_000 : 0)")
          while !isOver.load(ordering: .acquiring) {
            let code = reader.answer("SELECT sum(length(b)) FROM t").code & 0xff
            #expect([SQLITE_OK, SQLITE_IOERR, SQLITE_CORRUPT, SQLITE_NOTADB].contains(code), "\(code)")
            if code != SQLITE_OK { errors.wrappingAdd(1, ordering: .sequentiallyConsistent) }
          }
        }
      }
      usleep(20_000)
      #expect(truncate(path, 5 * 4096 + 100) == 0)
      while errors.load(ordering: .sequentiallyConsistent) < 3 { usleep(1000) }
      isOver.store(true, ordering: .releasing)
      for reader in readers { try reader.join() }
    }
  }

  @Test func errorsHaveSQLitesCodes() {
    #expect(ResultCode.of(.file(.write, errno: EIO), ResultCode.unlock) == 778)
    #expect(ResultCode.of(.file(.write, errno: ENOSPC), ResultCode.write) == SQLITE_FULL)
    #expect(ResultCode.of(.file(.sync, errno: EIO), ResultCode.write) == 1034)
    #expect(ResultCode.of(.file(.read, errno: EIO), ResultCode.read) == 266)
    #expect(ResultCode.of(.outOfMemory, ResultCode.read) == 3082)
    #expect(ResultCode.of(.file(.resize, errno: EFBIG), ResultCode.truncate) == 1546)
  }
}
