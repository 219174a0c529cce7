import CSQLite
import Glibc
import UserPages

/// The locks of a database file among the connections of this process, if the pool refuses all others (`exclusive=1`).
///
/// They replace `fcntl(2)`. The pool's descriptor has the file's lock bytes locked for writing. So another process
/// finds the database busy, and so does a connection of this process by another VFS. The rules are SQLite's.
final class ProcessLocks: Sendable {
  /// Which connection.
  typealias Owner = ObjectIdentifier

  private struct State {
    var readers = 0
    var reserved: Owner?
    /// Set by the connection that waits for readers to leave. No reader enters meanwhile.
    var pending: Owner?
    var exclusive: Owner?
  }

  private static let firstByte = 0x4000_0000
  /// PENDING, RESERVED, and the 510 of SHARED.
  private static let byteCount = 512

  private let state = Guarded(State())

  /// Locks the file behind `descriptor` against every other open file, until that is closed.
  ///
  /// The lock is the open file's and not the process's (`F_OFD_SETLK`), so no other descriptor that is closed takes it
  /// away.
  ///
  /// - Throws:
  ///   - `busy` if another program uses the database.
  ///   - `file` with the errno.
  init(locking descriptor: Int32) throws(PageError) {
    var range = Self.bytes(F_WRLCK)
    guard fcntl(descriptor, Int32(csqlite_ofd_setlk), &range) == 0 else {
      throw errno == EAGAIN || errno == EACCES ? .busy : .file(.lock, errno: errno)
    }
  }

  /// Gives the file back to others.
  static func release(_ descriptor: Int32) {
    var range = bytes(F_UNLCK)
    _ = fcntl(descriptor, Int32(csqlite_ofd_setlk), &range)
  }

  /// Whether another process has a lock on the file behind `descriptor`. True if the kernel does not say.
  ///
  /// It asks for the whole file: `SQLITE_TESTCTRL_PENDING_BYTE` moves SQLite's locks.
  static func areHeldElsewhere(_ descriptor: Int32) -> Bool {
    // A process's own locks are not in its way, so SHARED of this process's connections does not count.
    var range = flock()
    range.l_type = Int16(F_WRLCK)
    range.l_whence = Int16(SEEK_SET)
    return fcntl(descriptor, F_GETLK, &range) != 0 || range.l_type != Int16(F_UNLCK)
  }

  private static func bytes(_ type: Int32) -> flock {
    var range = flock()
    range.l_type = Int16(type)
    range.l_whence = Int16(SEEK_SET)
    range.l_start = off_t(firstByte)
    range.l_len = off_t(byteCount)
    return range
  }

  /// Raises a connection's lock from `level`. Returns whether it has it: if not, it may have PENDING, as in SQLite.
  func lock(_ owner: Owner, from level: Int32, to wanted: Int32) -> Bool {
    state.withLock { state in
      if wanted <= level { return true }
      if level == SQLITE_LOCK_NONE {
        guard state.pending == nil, state.exclusive == nil else { return false }
        state.readers += 1
        return true
      }
      guard state.reserved == nil || state.reserved == owner, state.pending == nil || state.pending == owner else {
        return false
      }
      if wanted == SQLITE_LOCK_RESERVED {
        state.reserved = owner
        return true
      }
      state.pending = owner
      guard state.readers == 1 else { return false }
      state.exclusive = owner
      return true
    }
  }

  /// Lowers a connection's lock from `level` to SHARED or none.
  func unlock(_ owner: Owner, from level: Int32, to wanted: Int32) {
    state.withLock { state in
      if state.exclusive == owner { state.exclusive = nil }
      if state.pending == owner { state.pending = nil }
      if state.reserved == owner { state.reserved = nil }
      if wanted == SQLITE_LOCK_NONE, level > SQLITE_LOCK_NONE { state.readers -= 1 }
    }
  }

  /// Whether a connection has RESERVED or more.
  var isReserved: Bool { state.withLock { $0.reserved != nil || $0.exclusive != nil } }
}
