import CSQLite
import Foundation
import Synchronization
import TestSupport
import Testing

@testable import UserPagesSQLite

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
