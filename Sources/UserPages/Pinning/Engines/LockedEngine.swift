/// Pins as Linux 2.6.24 took them: the mmap lock for reading, then the page-table lock. The baseline that the other
/// engines are measured against.
///
/// There is no fast path: each pin goes through the slow path (`SlowPath.swift`). That holds the mmap lock over the
/// whole call and the page-table lock over each look. Under the locks it holds a frame as `ReferenceEngine` does.
/// Faults of such a space take the same two locks.
enum LockedEngine {
  /// The page-table locks of a space with this engine.
  static func makeTableLocks() -> PageTableLocks { PageTableLocks() }
}
