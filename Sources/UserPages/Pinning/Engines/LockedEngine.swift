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

/// The locks of faults and slow pins. With the other engines each function runs its body, and no more.
extension AddressSpace {
  /// Whether faults and slow pins run under the mmap lock, held for reading.
  @inline(__always)
  var faultsHoldMmapLock: Bool { tableLocks != nil }

  /// Runs a fault or a slow pin under the mmap lock, held for reading.
  @inline(__always)
  func underFaultLock<Result: ~Copyable, Failure: Error>(
    _ body: () throws(Failure) -> Result
  ) throws(Failure) -> Result {
    guard faultsHoldMmapLock else { return try body() }
    return try mmapLock.reading { _ throws(Failure) in try body() }
  }

  /// Runs `body` without that lock: a backing's code, a backing's end, or what needs the lock for writing. The caller
  /// is inside `underFaultLock`, and takes no mapping or entry that it found before for granted after.
  @inline(__always)
  func leavingFaultLock<Result, Failure: Error>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
    guard faultsHoldMmapLock else { return try body() }
    return try mmapLock.withoutReading(body)
  }

  /// Runs one look at the entry of `address`, in a section and under the page-table lock.
  @inline(__always)
  func underTableLock<Result>(_ address: VirtualAddress, _ look: (RCU.Section) -> Result) -> Result {
    guard let tableLocks else { return RCU.read(look) }
    return tableLocks.locked(address) { RCU.read(look) }
  }
}
