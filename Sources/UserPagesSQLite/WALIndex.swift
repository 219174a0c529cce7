import Synchronization

/// The head of a WAL's shared index: which checkpoints have changed the database file.
///
/// Its layout is part of SQLite's file format. It lies in memory that all processes share, so each access is atomic.
struct WALIndex {
  /// Which checkpoint was the last to change the file. Two equal positions name one state of it, if both were in the
  /// index at one moment.
  struct Position: Equatable, Sendable {
    /// Differs each time the WAL begins anew.
    let salt: UInt64
    /// Frames of the WAL that are in the file.
    let backfilled: UInt32
  }

  /// The lock of the one writer.
  static let writeLock: Int32 = 0
  /// The lock of the one checkpointer.
  static let checkpointLock: Int32 = 1
  /// The lock of a connection that makes the index anew from the WAL.
  static let recoveryLock: Int32 = 2
  /// The locks of the marks up to which readers read the WAL.
  static let readMarks: Range<Int32> = 3..<8

  private static let lastFrameOffset = 16
  private static let saltOffset = 32
  /// The header is there twice. SQLite writes the second copy first.
  private static let secondCopy = 48
  private static let backfilledOffset = 96
  private static let attemptedOffset = 128

  /// The first region of the shared memory, mapped as long as the connection does not unmap it.
  let start: UnsafeMutableRawPointer

  private func word<T: AtomicRepresentable>(_ offset: Int, _ type: T.Type) -> UnsafeMutablePointer<Atomic<T>> {
    (start + offset).assumingMemoryBound(to: Atomic<T>.self)
  }

  @inline(__always)
  var salt: UInt64 { word(Self.saltOffset, UInt64.self).pointee.load(ordering: .acquiring) }
  @inline(__always)
  var backfilled: UInt32 { word(Self.backfilledOffset, UInt32.self).pointee.load(ordering: .acquiring) }

  /// The last frame of the WAL that is committed.
  var lastFrame: UInt32 { word(Self.lastFrameOffset, UInt32.self).pointee.load(ordering: .acquiring) }

  /// Whether the last checkpoint has not come to its end: its process was killed, or it met an error. It may have
  /// written any of its pages, and have made the file longer.
  ///
  /// SQLite says up to which frame it is about to write (nBackfillAttempted), writes, and then says that it has. The
  /// caller has the lock of the checkpointer, or EXCLUSIVE. A recovery leaves the same sign, and older versions of
  /// SQLite none.
  var hasUnfinishedCheckpoint: Bool {
    word(Self.attemptedOffset, UInt32.self).pointee.load(ordering: .acquiring) > backfilled
  }

  /// Where the checkpoints are. Nil while a new WAL begins, and if the process that begins it was killed there.
  ///
  /// The salt and the number are two words, and a new WAL changes one after the other. In between, the index shows
  /// what is no position: the new salt beside the number of the old WAL. It must not be recorded. The new WAL may have
  /// as many frames in the file one day, and the pool's pages would pass for current then.
  ///
  ///     `walRestartHdr` of another process            this look
  ///     1. second copy: new salt, no frame            a. loads the salt of the first copy
  ///     2. first copy: the same                       b. loads the last frame of the second copy
  ///     3. clears the number                          c. loads the number
  ///     4. each commit: second copy, first copy
  ///
  /// What c finds is one of three:
  /// - The number of the WAL with this salt, which is its position.
  /// - That of the WAL before. Then 3 comes after c, and b found what 1 wrote: no frame. More frames in the file than
  ///   the WAL has are no position. If there are none in the file, the number is right all the same.
  /// - That of a later WAL. No index shows this salt again, so the position matches nothing.
  ///
  /// `walIndexRecover` clears the number after the header too. It finds the WAL that the index was of, so the salt
  /// stays and the number was right.
  var position: Position? {
    let salt = salt
    let lastFrame = word(Self.secondCopy + Self.lastFrameOffset, UInt32.self).pointee.load(ordering: .acquiring)
    let backfilled = backfilled
    return backfilled <= lastFrame ? Position(salt: salt, backfilled: backfilled) : nil
  }
}
