import CSQLite
import UserPages

/// The tables of functions that SQLite calls with an open database file, each of which finds its `Connection` there.
///
/// They are never freed: the extension stays as long as the process.
struct IOMethods: @unchecked Sendable {
  /// With shared memory, so that a WAL can be used, and without.
  static let withSharedMemory = IOMethods(hasSharedMemory: true)
  static let withoutSharedMemory = IOMethods(hasSharedMemory: false)

  // Initialised once and then only read.
  let table: UnsafePointer<sqlite3_io_methods>

  private init(hasSharedMemory: Bool) {
    var methods = sqlite3_io_methods()
    methods.iVersion = 3
    methods.xClose = { file in
      guard let file else { return SQLITE_OK }
      let state = Self.state(of: file)
      file.pointee.pMethods = nil
      let result = state.move().close()
      state.deallocate()
      return result
    }
    methods.xRead = { file, bytes, count, offset in
      Self.state(of: file!).pointee.read(bytes!, Int(count), Int(offset))
    }
    methods.xWrite = { file, bytes, count, offset in
      Self.state(of: file!).pointee.write(bytes!, Int(count), Int(offset))
    }
    methods.xTruncate = { Self.state(of: $0!).pointee.truncate($1) }
    methods.xSync = { file, _ in Self.state(of: file!).pointee.sync() }
    // A write changes the file's length at once, so the kernel's is right too.
    methods.xFileSize = { Self.state(of: $0!).pointee.size($1) }
    methods.xLock = { Self.state(of: $0!).pointee.lock($1) }
    methods.xUnlock = { Self.state(of: $0!).pointee.unlock($1) }
    methods.xCheckReservedLock = { Self.state(of: $0!).pointee.checkReservedLock($1) }
    methods.xFileControl = { Self.state(of: $0!).pointee.control($1, $2) }
    // What the disk transfers.
    methods.xSectorSize = { _ in Int32(Page.size) }
    // A page may be written in parts, in any order, and the file grows before its pages are written.
    methods.xDeviceCharacteristics = { file in
      Self.state(of: file!).pointee.inner.characteristics
        & (SQLITE_IOCAP_POWERSAFE_OVERWRITE | SQLITE_IOCAP_UNDELETABLE_WHEN_OPEN | SQLITE_IOCAP_IMMUTABLE)
    }
    methods.xFetch = { file, offset, count, page in
      page!.pointee = Self.state(of: file!).pointee.fetch(Int(offset), Int(count))
      return SQLITE_OK
    }
    methods.xUnfetch = { file, _, page in
      // Without a page it says that the file has changed, which the pool knows.
      if let page { Self.state(of: file!).pointee.unfetch(page) }
      return SQLITE_OK
    }
    if hasSharedMemory {
      methods.xShmMap = { Self.state(of: $0!).pointee.mapSharedMemory($1, $2, $3, $4!) }
      methods.xShmLock = { Self.state(of: $0!).pointee.lockSharedMemory($1, $2, $3) }
      methods.xShmBarrier = { Self.state(of: $0!).pointee.sharedMemoryBarrier() }
      methods.xShmUnmap = { Self.state(of: $0!).pointee.unmapSharedMemory($1) }
    }
    let table = UnsafeMutablePointer<sqlite3_io_methods>.allocate(capacity: 1)
    table.initialize(to: methods)
    self.table = UnsafePointer(table)
  }

  @inline(__always)
  private static func state(of file: UnsafeMutablePointer<sqlite3_file>) -> UnsafeMutablePointer<Connection> {
    UnsafeMutableRawPointer(file).assumingMemoryBound(to: csqlite_file.self).pointee.connection
      .assumingMemoryBound(to: Connection.self)
  }

  /// Makes `file` the file object of a connection.
  func attach(_ connection: consuming Connection, to file: UnsafeMutablePointer<sqlite3_file>) {
    let state = UnsafeMutablePointer<Connection>.allocate(capacity: 1)
    state.initialize(to: connection)
    UnsafeMutableRawPointer(file).assumingMemoryBound(to: csqlite_file.self).pointee.connection =
      UnsafeMutableRawPointer(
        state)
    file.pointee.pMethods = table
  }
}
