import CSQLite
import Foundation
import Synchronization
import TestSupport
import Testing

@testable import UserPagesSQLite

/// Locks on read marks that outlive their transactions: they save calls, and stand in no other connection's way.
@Suite(.offThePool) struct KeptLockTests {
  private static let all: Range<Int32> = 3..<8

  @Test func aKeptLockIsTakenAgain() {
    let file = CountingFile()
    let lock = WALReadLock(file.inner)
    for _ in 0..<3 {
      #expect(lock.lock(4) == SQLITE_OK)
      #expect(lock.keep(4))
    }
    #expect((file.locks, file.unlocks) == (1, 0))
    lock.giveBack(3..<4)
    #expect(file.unlocks == 0, "another mark's request")
    lock.giveBack(4..<5)
    lock.giveBack(4..<5)
    #expect((file.locks, file.unlocks) == (1, 1))
    #expect(lock.lock(4) == SQLITE_OK)
    #expect((file.locks, file.unlocks) == (2, 1))
  }

  @Test func aUsedLockStays() {
    let file = CountingFile()
    let lock = WALReadLock(file.inner)
    #expect(lock.lock(3) == SQLITE_OK)
    lock.giveBack(Self.all)
    #expect(file.unlocks == 0)
    #expect(lock.unlock(3) == SQLITE_OK)
    lock.giveBack(Self.all)
    #expect((file.locks, file.unlocks) == (1, 1))
  }

  @Test func oneLockIsKept() {
    let file = CountingFile()
    let lock = WALReadLock(file.inner)
    #expect(lock.lock(3) == SQLITE_OK && lock.keep(3))
    #expect(lock.lock(5) == SQLITE_OK)
    #expect((file.locks, file.unlocks) == (2, 1))
    #expect(!lock.keep(3) && lock.keep(5))
  }

  @Test func aLockThatIsBusyIsNotKept() {
    let file = CountingFile()
    let lock = WALReadLock(file.inner)
    file.result = SQLITE_BUSY
    #expect(lock.lock(3) == SQLITE_BUSY)
    #expect(!lock.keep(3))
    lock.giveBack(Self.all)
    #expect(file.unlocks == 0)
  }

  /// The connection closes, or begins a read of another mark, and its call that unlocks the mark is under way.
  @Test(arguments: [true, false]) func aRequestWaitsForAMarkThatIsBeingUnlocked(isClosing: Bool) throws {
    try #require(Database.registration == SQLITE_OK)
    let file = CountingFile()
    let locks = WALReadLocks(isAlone: { true })
    let lock = try #require(locks.add(file.inner))
    #expect(lock.lock(4) == SQLITE_OK && lock.keep(4))
    file.holdsUnlocks = true
    let owner = CheckedThread { if isClosing { locks.remove(lock) } else { #expect(lock.lock(5) == SQLITE_OK) } }
    usleep(20_000)
    let isUnlocked = Atomic(false)
    let other = CheckedThread {
      locks.giveBack(4..<5)
      isUnlocked.store(true, ordering: .sequentiallyConsistent)
    }
    usleep(20_000)
    let isEarly = isUnlocked.load(ordering: .sequentiallyConsistent)
    #expect(!isEarly)
    file.holdsUnlocks = false
    try other.join()
    try owner.join()
    #expect(file.unlocks == 1)
    if !isClosing { locks.remove(lock) }
  }

  /// SQLite locks the index for reading while it waits for a recovery.
  @Test func aSharedLockThatIsNoMarksComesAfterTheKeptOne() throws {
    try #require(Database.registration == SQLITE_OK)
    try Tool.withFolder { folder in
      let path = "\(folder)/a.db"
      try Database(path, nil).run("CREATE TABLE t(a)")
      let file = CountingFile()
      let pool = try PoolRegistry.connect(path, DatabaseOptions())
      let connection = Connection(file.inner, pool, DatabaseOptions())
      pool.readLocks.isStretch.store(true, ordering: .releasing)
      // A noncopyable value is no part of what `#expect` shows.
      let isRead = connection.lockSharedMemory(4, 1, SQLITE_SHM_LOCK | SQLITE_SHM_SHARED) == SQLITE_OK
      let isEnded = connection.lockSharedMemory(4, 1, SQLITE_SHM_UNLOCK | SQLITE_SHM_SHARED) == SQLITE_OK
      #expect(isRead && isEnded)
      #expect(file.unlocks == 0)
      let recovery = WALIndex.recoveryLock
      let isLocked = connection.lockSharedMemory(recovery, 1, SQLITE_SHM_LOCK | SQLITE_SHM_SHARED) == SQLITE_OK
      #expect(isLocked)
      #expect((file.locks, file.unlocks) == (2, 1))
      let closed = connection.close()
      #expect(closed == SQLITE_OK)
    }
  }

  /// A checkpoint that begins the WAL anew wants every mark for itself.
  @Test func aConnectionOfTheProcessGetsTheMark() throws {
    try Tool.withFolder { folder in
      let (reader, writer) = try Self.connections(folder)
      writer.setTimeout(milliseconds: 0)
      for number in 1...200 {
        try writer.run("UPDATE t SET a=\(number)")
        try Self.read(reader, number)
        #expect(try writer.run("PRAGMA wal_checkpoint(TRUNCATE)") == [["0", "0", "0"]])
      }
    }
  }

  /// A process that uses the database knows when this one has ended its reads, and does not wait for marks.
  @Test func anotherProcessMeetsNoKeptLock() throws {
    try Tool.withFolder { folder in
      let (reader, writer) = try Self.connections(folder)
      let other = try SQLShell("\(folder)/a.db")
      _ = try other.ask(".timeout 0")
      _ = try other.ask("SELECT a FROM t;")
      usleep(5000)
      for number in 1...200 {
        try writer.run("UPDATE t SET a=\(number)")
        try Self.read(reader, number)
        try #require(try other.ask("PRAGMA wal_checkpoint(TRUNCATE);") == "0|0|0\n")
      }
    }
  }

  /// A process that comes while locks are kept waits for the end of the stretch.
  @Test func aProcessThatComesGetsTheMark() throws {
    try Tool.withFolder { folder in
      let (reader, writer) = try Self.connections(folder)
      for number in 1...10 {
        let other = try SQLShell("\(folder)/a.db")
        try writer.run("UPDATE t SET a=\(number)")
        try Self.read(reader, number)
        try #require(try other.ask("PRAGMA wal_checkpoint(TRUNCATE);") == "0|0|0\n")
        try other.quit()
      }
    }
  }

  /// This process reads without a pause.
  @Test func anotherProcessGetsTheMarkFromABusyReader() throws {
    try Tool.withFolder { folder in
      let (reader, writer) = try Self.connections(folder)
      let other = try SQLShell("\(folder)/a.db")
      let isOver = Atomic(false)
      let reading = CheckedThread {
        while !isOver.load(ordering: .acquiring) { _ = try reader.number("SELECT a FROM t") }
      }
      defer { isOver.store(true, ordering: .releasing) }
      try writer.run("UPDATE t SET a=1")
      // Ten seconds each time.
      var answer = ""
      for _ in 0..<6 where answer != "0|0|0\n" { answer = try other.ask("PRAGMA wal_checkpoint(TRUNCATE);") }
      #expect(answer == "0|0|0\n")
      isOver.store(true, ordering: .releasing)
      try reading.join()
    }
  }

  @Test func aConnectionMayCloseAtOnce() throws {
    try Tool.withFolder { folder in
      let (_, writer) = try Self.connections(folder)
      writer.setTimeout(milliseconds: 0)
      for number in 1...50 {
        try writer.run("UPDATE t SET a=\(number)")
        do { try Self.read(try Database("\(folder)/a.db"), number) }
        #expect(try writer.run("PRAGMA wal_checkpoint(TRUNCATE)") == [["0", "0", "0"]])
      }
    }
  }

  /// Reads `number` for a time that ends somewhere in a stretch, or in the rest before one.
  private static func read(_ reader: Database, _ number: Int) throws {
    let end = ContinuousClock.now + .microseconds(1000 + number % 8 * 400)
    repeat { #expect(try reader.number("SELECT a FROM t") == number) } while ContinuousClock.now < end
  }

  private static func connections(_ folder: String) throws -> (reader: Database, writer: Database) {
    let writer = try Database("\(folder)/a.db", "pool=1M")
    try writer.run("PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF; CREATE TABLE t(a); INSERT INTO t VALUES(0)")
    return (try Database("\(folder)/a.db"), writer)
  }
}
