import CSQLite

/// The default VFS's own file object of a connection: it has the locks and the shared memory, and answers what the pool
/// does not.
///
/// An address inside the object that SQLite allocated, valid until `close`.
struct InnerFile: @unchecked Sendable {
  // Sendable: SQLite's functions for it may be called by any thread, as its VFS says.
  let file: UnsafeMutablePointer<sqlite3_file>

  @inline(__always)
  private var methods: sqlite3_io_methods { file.pointee.pMethods.pointee }

  /// Whether the default VFS has shared memory for a WAL.
  var hasSharedMemory: Bool { methods.iVersion >= 2 && methods.xShmMap != nil }

  /// Ends the object, if it was opened.
  func close() -> Int32 {
    guard file.pointee.pMethods != nil else { return SQLITE_OK }
    defer { file.pointee.pMethods = nil }
    return methods.xClose(file)
  }

  func read(_ bytes: UnsafeMutableRawPointer?, _ count: Int32, _ offset: Int64) -> Int32 {
    methods.xRead(file, bytes, count, offset)
  }

  func write(_ bytes: UnsafeRawPointer?, _ count: Int32, _ offset: Int64) -> Int32 {
    methods.xWrite(file, bytes, count, offset)
  }

  func truncate(_ size: Int64) -> Int32 { methods.xTruncate(file, size) }
  func sync(_ flags: Int32) -> Int32 { methods.xSync(file, flags) }
  func size(_ size: UnsafeMutablePointer<Int64>?) -> Int32 { methods.xFileSize(file, size) }
  func lock(_ level: Int32) -> Int32 { methods.xLock(file, level) }
  func unlock(_ level: Int32) -> Int32 { methods.xUnlock(file, level) }

  func checkReservedLock(_ isReserved: UnsafeMutablePointer<Int32>?) -> Int32 {
    methods.xCheckReservedLock(file, isReserved)
  }

  func control(_ code: Int32, _ argument: UnsafeMutableRawPointer?) -> Int32 {
    methods.xFileControl(file, code, argument)
  }

  var characteristics: Int32 { methods.xDeviceCharacteristics(file) }

  func mapSharedMemory(
    _ region: Int32, _ size: Int32, _ extends: Int32, _ start: UnsafeMutablePointer<UnsafeMutableRawPointer?>?
  ) -> Int32 {
    methods.xShmMap(file, region, size, extends, start)
  }

  func lockSharedMemory(_ offset: Int32, _ count: Int32, _ flags: Int32) -> Int32 {
    methods.xShmLock(file, offset, count, flags)
  }

  func sharedMemoryBarrier() { methods.xShmBarrier(file) }
  func unmapSharedMemory(_ deletes: Int32) -> Int32 { methods.xShmUnmap(file, deletes) }

  /// Whether the name leads to another file by now.
  var hasMoved: Bool {
    var hasMoved: Int32 = 0
    return control(SQLITE_FCNTL_HAS_MOVED, &hasMoved) == SQLITE_OK && hasMoved != 0
  }
}
