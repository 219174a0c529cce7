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

/// Stretches, in which locks are kept.
@Suite(.offThePool) struct KeptLockStretchTests {
  /// One connection, and whether its process is the only one.
  private struct Subject: Sendable {
    let file = CountingFile()
    let locks: WALReadLocks
    let lock: WALReadLock
    // What `WALReadLocks.add` makes where SQLite has mutexes.
    init?(isAlone: Bool = true) {
      locks = WALReadLocks(isAlone: { isAlone })
      guard let lock = locks.add(file.inner) else { return nil }
      self.lock = lock
    }

    func read() {
      #expect(lock.lock(4) == SQLITE_OK)
      #expect(locks.endRead(lock, of: 4) == SQLITE_OK)
    }

    /// Reads until a lock is kept. Returns false after `seconds`.
    func readUntilKept(seconds: Double = 10) -> Bool {
      let end = ContinuousClock.now + .seconds(seconds)
      while ContinuousClock.now < end {
        read()
        if file.locks != file.unlocks { return true }
      }
      return false
    }

    func end() {
      locks.remove(lock)
      locks.end()
      #expect(file.locks == file.unlocks)
    }
  }

  @Test func readsWithoutAPauseKeepTheirLock() throws {
    try #require(Database.registration == SQLITE_OK)
    let subject = try #require(Subject())
    #expect(subject.readUntilKept())
    subject.end()
  }

  /// The second read ends in the time of the stretch that the first one might have begun.
  @Test func aReadAloneKeepsNothing() throws {
    try #require(Database.registration == SQLITE_OK)
    for _ in 0..<50 {
      let subject = try #require(Subject())
      subject.read()
      usleep(1500)
      subject.read()
      #expect(subject.file.unlocks == 2)
      subject.end()
    }
  }

  @Test func besideAnotherProcessNoLockIsKept() throws {
    try #require(Database.registration == SQLITE_OK)
    let subject = try #require(Subject(isAlone: false))
    #expect(!subject.readUntilKept(seconds: 0.1))
    subject.end()
  }

  /// The connection reads nothing more.
  @Test func theEndOfAStretchGivesTheLockBack() throws {
    try #require(Database.registration == SQLITE_OK)
    let subject = try #require(Subject())
    #expect(subject.readUntilKept())
    let end = ContinuousClock.now + .seconds(10)
    while subject.file.locks != subject.file.unlocks, ContinuousClock.now < end { usleep(500) }
    #expect(subject.file.locks == subject.file.unlocks)
    subject.end()
  }

  #if DEBUG
    /// The stretch ends between the connection's look and its lock's being kept, so the thread does not find the lock.
    @Test func aConnectionThatIsLateGivesItsLockBack() throws {
      try #require(Database.registration == SQLITE_OK)
      let subject = try #require(Subject())
      let freezer = Freezer()
      defer { freezer.remove() }
      let isOver = Atomic(false)
      let reader = freezer.start("reader", freezeAt: .readLockBetweenLookAndKeep) {
        repeat { subject.read() } while !isOver.load(ordering: .acquiring)
      }
      try #require(reader.waitUntilFrozen())
      while subject.locks.isStretch.load(ordering: .acquiring) { usleep(500) }
      usleep(20_000)
      isOver.store(true, ordering: .releasing)
      reader.thaw()
      try reader.join()
      #expect(subject.file.locks == subject.file.unlocks)
      subject.end()
    }
  #endif
}

/// A file object of SQLite's. All its locks are free, and it counts the calls, on any thread.
private final class CountingFile: Sendable {
  private struct Object {
    var base = sqlite3_file()
    var counts: Unmanaged<Counts>
  }

  private final class Counts: Sendable {
    let locks = Atomic(0)
    let unlocks = Atomic(0)
    let result = Atomic(SQLITE_OK)
  }

  private let counts = Counts()
  let inner: InnerFile

  init() {
    var methods = sqlite3_io_methods()
    methods.iVersion = 2
    methods.xShmLock = { file, _, _, flags in
      let object = UnsafeMutableRawPointer(file!).assumingMemoryBound(to: Object.self)
      let counts = object.pointee.counts.takeUnretainedValue()
      if flags & SQLITE_SHM_UNLOCK != 0 {
        counts.unlocks.wrappingAdd(1, ordering: .sequentiallyConsistent)
      } else {
        counts.locks.wrappingAdd(1, ordering: .sequentiallyConsistent)
      }
      return counts.result.load(ordering: .sequentiallyConsistent)
    }
    let table = UnsafeMutablePointer<sqlite3_io_methods>.allocate(capacity: 1)
    table.initialize(to: methods)
    let object = UnsafeMutablePointer<Object>.allocate(capacity: 1)
    object.initialize(to: Object(counts: .passUnretained(counts)))
    object.pointee.base.pMethods = UnsafePointer(table)
    inner = InnerFile(file: UnsafeMutableRawPointer(object).assumingMemoryBound(to: sqlite3_file.self))
  }

  deinit {
    inner.file.pointee.pMethods.deallocate()
    UnsafeMutableRawPointer(inner.file).deallocate()
  }

  var locks: Int { counts.locks.load(ordering: .sequentiallyConsistent) }
  var unlocks: Int { counts.unlocks.load(ordering: .sequentiallyConsistent) }
  var result: Int32 {
    get { counts.result.load(ordering: .sequentiallyConsistent) }
    set { counts.result.store(newValue, ordering: .sequentiallyConsistent) }
  }
}
