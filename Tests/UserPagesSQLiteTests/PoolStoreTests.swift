import CSQLite
import Foundation
import Synchronization
import TestSupport
import Testing

@testable import UserPages
@testable import UserPagesSQLite

/// Pages that the pool reads ahead, on a thread of its own, beside locks that come and go.
@Suite(.offThePool) struct PoolStoreTests {
  #if DEBUG
    /// The thread reads when the process has no lock any more, and another process is in a transaction. That one is
    /// rolled back, within one tick of the clock that stamps the file.
    @Test func whatIsReadWithoutALockIsNotServed() throws {
      try Tool.withFolder { folder in
        let path = "\(folder)/a.db"
        try Self.makeDatabase(path)
        let database = try Database(path, "pool=1M")
        let pool = try PoolRegistry.connect(path, DatabaseOptions())
        defer { PoolRegistry.disconnect(pool.identity) }
        let freezer = Freezer()
        defer { freezer.remove() }
        let reader = freezer.freezeThread(of: pool.cache.memory, at: .readAheadBeforeLock)
        // The header, the root, a leaf: the window behind them is read ahead.
        #expect(try database.number("SELECT n FROM t LIMIT 1") == 1000)
        #expect(reader.waitUntilFrozen())
        let ahead = try #require((0..<64).first { pool.cache.states[$0].kind == .reading })
        try Self.duringATransactionOfAnotherProcess(path) {
          reader.thaw()
          while pool.cache.states[ahead].kind == .reading { usleep(100) }
        }
        #expect(try database.number("SELECT sum(n) FROM t") == 200 * 1000)
        #expect(try database.run("PRAGMA integrity_check") == [["ok"]])
      }
    }
  #endif

  /// A connection that asks for no lock reads meanwhile.
  @Test func whatAnImmutableConnectionReadsIsNotServedToOthers() throws {
    try Tool.withFolder { folder in
      let path = "\(folder)/a.db"
      try Self.makeDatabase(path)
      let database = try Database(path, "pool=1M")
      #expect(try database.number("SELECT n FROM t LIMIT 1") == 1000)
      let immutable = try Database(path, "pool=1M&immutable=1", flags: SQLITE_OPEN_READONLY)
      #expect(try immutable.statistic("connections") == 1)
      try Self.duringATransactionOfAnotherProcess(path) {
        let answer = immutable.answer("SELECT sum(n) FROM t")
        #expect(answer.value != "200000", "it reads what is not committed")
      }
      #expect(try database.number("SELECT sum(n) FROM t") == 200 * 1000)
      #expect(try database.run("PRAGMA integrity_check") == [["ok"]])
    }
  }

  /// No other process has a transaction then, and the file's lock is the one pool's.
  @Test(arguments: [true, false]) func anExclusivePoolIsThatOfImmutableConnectionsToo(isImmutableFirst: Bool) throws {
    try Tool.withFolder { folder in
      let path = "\(folder)/a.db"
      try Self.makeDatabase(path)
      let parameters = ["pool=1M&exclusive=1", "pool=1M&exclusive=1&immutable=1"]
      let first = try Database(path, parameters[isImmutableFirst ? 1 : 0])
      #expect(try first.number("SELECT sum(n) FROM t") == 200 * 1000)
      let second = try Database(path, parameters[isImmutableFirst ? 0 : 1])
      #expect(try second.statistic("connections") == 2)
      #expect(try second.number("SELECT sum(n) FROM t") == 200 * 1000)
    }
  }

  /// 200 rows, a page each.
  private static func makeDatabase(_ path: String) throws {
    try Database(path, nil).run(
      "CREATE TABLE t(a INTEGER PRIMARY KEY, n, b); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n "
        + "WHERE i<200) INSERT INTO t SELECT i, 1000, zeroblob(3500) FROM n")
  }

  /// Runs `body` while another process has written all rows to the file, and then rolls back, within one tick of the
  /// clock that stamps the file.
  private static func duringATransactionOfAnotherProcess(_ path: String, _ body: () throws -> Void) throws {
    var status = stat()
    #expect(stat(path, &status) == 0)
    let other = try SQLShell(path)
    let changes = try other.ask(
      "PRAGMA cache_size=1; PRAGMA synchronous=OFF; BEGIN; UPDATE t SET n=2000; SELECT changes();")
    #expect(changes == "200\n")
    try body()
    _ = try other.ask("ROLLBACK;")
    try other.quit()
    let times = [status.st_atim, status.st_mtim]
    #expect(utimensat(AT_FDCWD, path, times, 0) == 0)
  }

  /// What a read began in one period and ended in the next.
  @Test func aReadOutlivesNoPeriod() throws {
    let periods = ReadPeriods()
    let memory = try PhysicalMemory(ramPages: 16)
    let file = TurningStore(periods)
    let cache = try PageCache(memory, PoolStore(file, periods), limit: 8, takesStores: false)
    #expect(throws: PageError.file(.read, errno: EAGAIN)) { try cache.read(at: 0, count: 1) }
    #expect(file.reads == 0)
    periods.enter()
    periods.enter()
    periods.leave()
    #expect(try cache.read(at: 0, count: 1) == [7])
    file.turns = true
    #expect(throws: PageError.file(.read, errno: EAGAIN)) { try cache.read(at: 2 * Page.size, count: 1) }
    #expect(file.reads > 1)
    file.turns = false
    #expect(try cache.read(at: 2 * Page.size, count: 1) == [7])
  }

  /// The first connection finds a file that cannot be written, the next one may write it.
  @Test func aPoolThatReadsComesToWrite() throws {
    try Tool.withFolder { folder in
      let path = "\(folder)/a.db"
      try Database(path, nil).run("CREATE TABLE t(a); INSERT INTO t VALUES(1)")
      #expect(chmod(folder, 0o755) == 0 && chmod(path, 0o444) == 0)
      let stock: Database
      do {
        let reader = try Self.openWithoutPrivileges(path)
        #expect(try reader.number("SELECT sum(a) FROM t") == 1)
        #expect(chmod(path, 0o644) == 0)
        let writer = try Database(path, "pool=1M")
        try writer.run("INSERT INTO t VALUES(2)")
        #expect(try reader.number("SELECT sum(a) FROM t") == 3)
        #expect(reader.answer("INSERT INTO t VALUES(3)").code == SQLITE_READONLY)
        stock = try Database(path, nil)
        try stock.expectIntact()
        try stock.run("BEGIN IMMEDIATE")
      }
      // The end of the pool closes neither of its descriptors: that would take the last connection's lock.
      let other = try SQLShell(path)
      #expect(try other.ask(".timeout 0\nINSERT INTO t VALUES(5);").contains("locked"))
    }
  }

  /// What a checkpoint has made dirty while the file could only be read goes to the file that can be written.
  @Test func aPoolThatComesToWriteKeepsDirtyPages() throws {
    try Tool.withFolder { folder in
      let path = "\(folder)/a"
      try Data(repeating: 1, count: 2 * Page.size).write(to: URL(fileURLWithPath: path))
      let pool = try Pool(PoolFile(opening: path), DatabaseOptions())
      pool.periods.enter()
      try pool.cache.write([7], at: 5)
      try pool.write(to: PoolFile(opening: path, mustWrite: true))
      #expect(pool.cache.dirtyPages == 1)
      try pool.cache.sync()
      #expect(try Data(contentsOf: URL(fileURLWithPath: path))[5] == 7)
      // A file that was opened before it grew.
      let early = try PoolFile(opening: path, mustWrite: true)
      #expect(truncate(path, off_t(3 * Page.size)) == 0)
      try pool.write(to: early)
      #expect(pool.cache.byteCount == 3 * Page.size)
    }
  }

  /// A connection that reads alone, of a thread that may only do what the file's mode says.
  private static func openWithoutPrivileges(_ path: String) throws -> Database {
    let opened = Guarded<Database?>(nil)
    let thread = CheckedThread {
      // For this thread alone.
      let change = try #require(dlsym(nil, "setfsuid"))
      _ = unsafeBitCast(change, to: (@convention(c) (UInt32) -> Int32).self)(geteuid() == 0 ? 65534 : geteuid())
      let database = try Database(path, "pool=1M", flags: SQLITE_OPEN_READONLY)
      opened.withLock { $0 = database }
    }
    try thread.join()
    return try #require(opened.withLock { $0 })
  }

  /// A database of a TiB. Its file has holes.
  @Test(arguments: ["", "&exclusive=1"])
  func aDatabaseOfATebibyteGrows(parameters: String) throws {
    try Tool.withFolder { folder in
      let path = "\(folder)/a.db"
      try Database(path, nil).run("PRAGMA page_size=4096; CREATE TABLE t(a INTEGER PRIMARY KEY, b)")
      let pages = 1 << 28
      var header = try Data(contentsOf: URL(fileURLWithPath: path))
      header.replaceSubrange(28..<32, with: withUnsafeBytes(of: UInt32(pages).bigEndian) { Data($0) })
      try header.write(to: URL(fileURLWithPath: path))
      // Some file systems have no such file.
      guard truncate(path, pages * 4096) == 0 else { return }
      let database = try Database(path, "pool=1M\(parameters)")
      try database.run("PRAGMA mmap_size=\(1 << 42); \(ErrorTests.fill)")
      #expect(try database.number("PRAGMA page_count") > pages)
      #expect(try Database(path, "pool=1M\(parameters)").number("SELECT sum(length(b)) FROM t") == 400 * 900)
    }
  }
}

/// A file in which a period ends, and the next one begins, while it is read.
private final class TurningStore: PageStore {
  private let periods: ReadPeriods
  private let readCount = Atomic(0)
  private let isTurning = Atomic(false)

  init(_ periods: ReadPeriods) { self.periods = periods }

  var reads: Int { readCount.load(ordering: .relaxed) }
  var turns: Bool {
    get { isTurning.load(ordering: .relaxed) }
    set { isTurning.store(newValue, ordering: .relaxed) }
  }

  var byteCount: Int { 4 * Page.size }

  func read(from page: Int, into pages: borrowing LentPages) throws(PageError) {
    readCount.wrappingAdd(1, ordering: .relaxed)
    for index in 0..<pages.count { pages[index].store(UInt8(7)) }
    if turns {
      periods.leave()
      periods.enter()
    }
  }

  func write(from page: Int, _ pages: borrowing LentPages) throws(PageError) {}
  func setByteCount(_ count: Int) throws(PageError) {}
  func punchHole(_ pages: Range<Int>) throws(PageError) {}
  func sync() throws(PageError) {}
}
