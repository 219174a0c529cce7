import CSQLite
import Glibc
import Synchronization

@testable import UserPagesSQLite

/// A file object of SQLite's. All its locks are free, and it counts the calls, on any thread.
///
/// Its own `xClose` ends it too.
final class CountingFile: Sendable {
  private struct Object {
    var base = sqlite3_file()
    var counts: Unmanaged<Counts>
  }

  private final class Counts: Sendable {
    let locks = Atomic(0)
    let unlocks = Atomic(0)
    let result = Atomic(SQLITE_OK)
    let holdsUnlocks = Atomic(false)
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
        while counts.holdsUnlocks.load(ordering: .acquiring) { usleep(100) }
        counts.unlocks.wrappingAdd(1, ordering: .sequentiallyConsistent)
      } else {
        counts.locks.wrappingAdd(1, ordering: .sequentiallyConsistent)
      }
      return counts.result.load(ordering: .sequentiallyConsistent)
    }
    methods.xFileControl = { _, _, _ in SQLITE_NOTFOUND }
    methods.xClose = { file in
      file?.pointee.pMethods.deallocate()
      return SQLITE_OK
    }
    let table = UnsafeMutablePointer<sqlite3_io_methods>.allocate(capacity: 1)
    table.initialize(to: methods)
    let object = UnsafeMutablePointer<Object>.allocate(capacity: 1)
    object.initialize(to: Object(counts: .passUnretained(counts)))
    object.pointee.base.pMethods = UnsafePointer(table)
    inner = InnerFile(file: UnsafeMutableRawPointer(object).assumingMemoryBound(to: sqlite3_file.self))
  }

  deinit {
    inner.file.pointee.pMethods?.deallocate()
    UnsafeMutableRawPointer(inner.file).deallocate()
  }

  var locks: Int { counts.locks.load(ordering: .sequentiallyConsistent) }
  var unlocks: Int { counts.unlocks.load(ordering: .sequentiallyConsistent) }
  var result: Int32 {
    get { counts.result.load(ordering: .sequentiallyConsistent) }
    set { counts.result.store(newValue, ordering: .sequentiallyConsistent) }
  }

  /// Whether a call that unlocks waits.
  var holdsUnlocks: Bool {
    get { counts.holdsUnlocks.load(ordering: .acquiring) }
    set { counts.holdsUnlocks.store(newValue, ordering: .releasing) }
  }
}
