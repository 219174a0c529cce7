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
        #expect(try reader.number("SELECT a FROM t") == number)
        #expect(try writer.run("PRAGMA wal_checkpoint(TRUNCATE)") == [["0", "0", "0"]])
      }
    }
  }

  /// This process reads nothing more, so nothing but the thread gives the mark back.
  @Test func anotherProcessGetsTheMark() throws {
    try Tool.withFolder { folder in
      let (reader, writer) = try Self.connections(folder)
      let other = try SQLShell("\(folder)/a.db")
      _ = try other.ask(".timeout 5000")
      for number in 1...10 {
        try writer.run("UPDATE t SET a=\(number)")
        #expect(try reader.number("SELECT a FROM t") == number)
        try #require(try other.ask("PRAGMA wal_checkpoint(TRUNCATE);") == "0|0|0\n")
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
        do { #expect(try Database("\(folder)/a.db").number("SELECT a FROM t") == number) }
        #expect(try writer.run("PRAGMA wal_checkpoint(TRUNCATE)") == [["0", "0", "0"]])
      }
    }
  }

  private static func connections(_ folder: String) throws -> (reader: Database, writer: Database) {
    let writer = try Database("\(folder)/a.db", "pool=1M")
    try writer.run("PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF; CREATE TABLE t(a); INSERT INTO t VALUES(0)")
    return (try Database("\(folder)/a.db"), writer)
  }
}

/// A file object of SQLite's. All its locks are free, and it counts the calls.
private final class CountingFile {
  private struct Object {
    var base = sqlite3_file()
    var locks = 0
    var unlocks = 0
    var result = SQLITE_OK
  }

  private let object = UnsafeMutablePointer<Object>.allocate(capacity: 1)
  private let methods = UnsafeMutablePointer<sqlite3_io_methods>.allocate(capacity: 1)

  init() {
    var methods = sqlite3_io_methods()
    methods.iVersion = 2
    methods.xShmLock = { file, _, _, flags in
      let object = UnsafeMutableRawPointer(file!).assumingMemoryBound(to: Object.self)
      if flags & SQLITE_SHM_UNLOCK != 0 { object.pointee.unlocks += 1 } else { object.pointee.locks += 1 }
      return object.pointee.result
    }
    self.methods.initialize(to: methods)
    object.initialize(to: Object())
    object.pointee.base.pMethods = UnsafePointer(self.methods)
  }

  deinit {
    object.deallocate()
    methods.deallocate()
  }

  var inner: InnerFile {
    InnerFile(file: UnsafeMutableRawPointer(object).assumingMemoryBound(to: sqlite3_file.self))
  }
  var locks: Int { object.pointee.locks }
  var unlocks: Int { object.pointee.unlocks }
  var result: Int32 {
    get { object.pointee.result }
    set { object.pointee.result = newValue }
  }
}
