#if DEBUG
  import CSQLite
  import Foundation
  import TestSupport
  import Testing
  import UserPages

  @testable import UserPagesSQLite

  /// Closing a pool's file takes no lock away that a connection of the default VFS has on it.
  @Suite(.offThePool) struct PoolFileTests {
    /// A connection opens the file and locks it while the pool's own descriptor is closed.
    @Test func aConnectionThatOpensMeanwhileKeepsItsLock() throws {
      try Tool.withFolder { folder in
        let path = "\(folder)/a.db"
        try Database(path, nil).run("CREATE TABLE t(a)")
        let other = try SQLShell(path)
        #expect(try other.ask(".timeout 0\nSELECT count(*) FROM t;") == "0\n")
        let freezer = Freezer()
        defer { freezer.remove() }
        let closer = try #require(try Self.freezeACloser(of: path, freezer))
        let opener = Opener(path)
        let thread = freezer.start("opener") { try opener.open() }
        // It waits for the mutex of SQLite's VFS.
        #expect(!thread.mayFinish())
        closer.thaw()
        try closer.join()
        try thread.join()
        #expect(try other.ask("INSERT INTO t VALUES(2);").contains("locked"))
        try opener.commit()
        #expect(try other.ask("SELECT a FROM t;") == "1\n")
      }
    }

    /// A thread that has closed the last connection of a pool, and is about to close the file.
    ///
    /// Another test's thread may have found the file first, and closed it. Then there is a further try.
    private static func freezeACloser(of path: String, _ freezer: Freezer) throws -> StagedThread? {
      for _ in 0..<50 {
        let closer = freezer.start("closer", freezeAt: .poolFileBetweenLookAndClose) {
          try Database(path).run("SELECT count(*) FROM t")
        }
        if closer.waitUntilFrozen() { return closer }
        try closer.join()
      }
      return nil
    }

    /// A pool that another thread still ends has its file, which is kept and not closed then.
    @Test func aPoolThatEndsLateKeepsItsFile() throws {
      try Tool.withFolder { folder in
        let path = "\(folder)/a.db"
        try Database(path, nil).run("CREATE TABLE t(a)")
        let first = try PoolRegistry.connect(path, DatabaseOptions())
        let identity = first.identity
        PoolRegistry.disconnect(identity)
        let second = try PoolRegistry.connect(path, DatabaseOptions())
        defer { PoolRegistry.disconnect(identity) }
        #expect(second !== first)
        #expect(second.poolFile.descriptor == first.poolFile.descriptor)
      }
    }

    /// The name that a connection opens is given to a file with a descriptor that is kept already.
    @Test func aFileThatIsKeptTwiceIsNotClosed() throws {
      try Tool.withFolder { folder in
        let (path, keptPath) = ("\(folder)/a.db", "\(folder)/b.db")
        try Database(path, nil).run("CREATE TABLE t(a)")
        let stock = try Database(keptPath, nil)
        try stock.run("CREATE TABLE t(a)")
        let other = try SQLShell(keptPath)
        #expect(try other.ask(".timeout 0\nSELECT count(*) FROM t;") == "0\n")
        // Kept, because the connection of the default VFS has the file open.
        try Database(keptPath).run("SELECT count(*) FROM t")
        try stock.run("BEGIN IMMEDIATE; INSERT INTO t VALUES(1)")
        let freezer = Freezer()
        defer { freezer.remove() }
        let opener = freezer.start("opener", freezeAt: .poolFileBetweenLookAndOpen) {
          let failure = #expect(throws: Database.Failure.self) { try Database(path) }
          #expect(failure?.code == SQLITE_CANTOPEN)
        }
        #expect(opener.waitUntilFrozen())
        #expect(link(keptPath, "\(folder)/c.db") == 0 && rename("\(folder)/c.db", path) == 0)
        opener.thaw()
        try opener.join()
        #expect(try other.ask("INSERT INTO t VALUES(2);").contains("locked"))
        try stock.run("COMMIT")
        #expect(try other.ask("SELECT a FROM t;") == "1\n")
      }
    }
  }

  /// A connection of the default VFS, opened and locked by one thread and used by another.
  private final class Opener: @unchecked Sendable {
    // Used by one thread after the other.
    private var database: Database?
    private let path: String

    init(_ path: String) { self.path = path }

    func open() throws {
      database = try Database(path, nil)
      try database?.run("BEGIN IMMEDIATE; INSERT INTO t VALUES(1)")
    }

    func commit() throws { try database?.run("COMMIT") }
  }
#endif
