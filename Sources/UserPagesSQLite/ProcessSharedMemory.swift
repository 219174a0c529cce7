import CSQLite
import UserPages

/// The index of a WAL and its locks among the connections of this process, if the pool refuses all others
/// (`exclusive=1`).
///
/// It replaces the file that SQLite maps. With the last connection it is gone, and the next one makes it anew from the
/// WAL.
final class ProcessSharedMemory: Sendable {
  typealias Owner = ProcessLocks.Owner

  private struct Slot {
    var readers: Set<Owner> = []
    var writer: Owner?

    func isFree(for owner: Owner, exclusively: Bool) -> Bool {
      (writer == nil || writer == owner) && (!exclusively || readers.isSubset(of: [owner]))
    }
  }

  /// The regions by address. Each stays where it is until the last connection has left.
  private struct State {
    var regions: [UInt] = []
    var users: Set<Owner> = []
    var slots = [Slot](repeating: Slot(), count: Int(SQLITE_SHM_NLOCK))
  }

  private let state = Guarded(State())

  /// The region of this number, for a connection that uses the index from now on. Without `extends` it is nil if no
  /// connection has made it.
  ///
  /// - Returns: SQLite's result code.
  func map(
    _ owner: Owner, _ region: Int32, _ size: Int32, extends: Bool,
    _ start: UnsafeMutablePointer<UnsafeMutableRawPointer?>
  ) -> Int32 {
    state.withLock { state in
      state.users.insert(owner)
      start.pointee = nil
      while extends, state.regions.count <= Int(region) {
        let memory = UnsafeMutableRawPointer.allocate(byteCount: Int(size), alignment: 4096)
        memory.initializeMemory(as: UInt8.self, repeating: 0, count: Int(size))
        state.regions.append(UInt(bitPattern: memory))
      }
      if Int(region) < state.regions.count {
        start.pointee = UnsafeMutableRawPointer(bitPattern: state.regions[Int(region)])
      }
      return SQLITE_OK
    }
  }

  /// Takes or gives back the locks of a range, for a reader or for a connection alone, as `flags` say. Waits for none.
  func lock(_ owner: Owner, _ offset: Int32, _ count: Int32, _ flags: Int32) -> Int32 {
    state.withLock { state in
      let range = Int(offset)..<Int(offset + count)
      let exclusively = flags & SQLITE_SHM_EXCLUSIVE != 0
      if flags & SQLITE_SHM_UNLOCK != 0 {
        for index in range {
          if state.slots[index].writer == owner { state.slots[index].writer = nil }
          state.slots[index].readers.remove(owner)
        }
        return SQLITE_OK
      }
      guard state.slots[range].allSatisfy({ $0.isFree(for: owner, exclusively: exclusively) }) else {
        return SQLITE_BUSY
      }
      for index in range {
        if exclusively { state.slots[index].writer = owner } else { state.slots[index].readers.insert(owner) }
      }
      return SQLITE_OK
    }
  }

  /// Orders what a connection wrote to the index before with what it reads after.
  func barrier() { state.withLock { _ in } }

  /// Ends a connection's use.
  func unmap(_ owner: Owner) {
    state.withLock { state in
      for index in state.slots.indices {
        if state.slots[index].writer == owner { state.slots[index].writer = nil }
        state.slots[index].readers.remove(owner)
      }
      guard state.users.remove(owner) != nil, state.users.isEmpty else { return }
      for region in state.regions { UnsafeMutableRawPointer(bitPattern: region)?.deallocate() }
      state.regions = []
    }
  }

  deinit {
    state.withLock { state in
      for region in state.regions { UnsafeMutableRawPointer(bitPattern: region)?.deallocate() }
    }
  }
}
