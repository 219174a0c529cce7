import Synchronization

/// The head of a WAL's shared index: which checkpoints have changed the database file.
///
/// Its layout is part of SQLite's file format. It lies in memory that all processes share, so each access is atomic.
struct WALIndex {
  /// Which checkpoint was the last to change the file. Two equal positions name one state of it.
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
  private static let backfilledOffset = 96

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

  /// Where the checkpoints are. The number is read first: a WAL that began anew has it cleared after the salt is
  /// written.
  var position: Position {
    let backfilled = backfilled
    return Position(salt: salt, backfilled: backfilled)
  }
}
