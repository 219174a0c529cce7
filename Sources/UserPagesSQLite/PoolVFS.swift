import CSQLite
import UserPages

/// The VFS `userpages`: it opens a database's main file by way of a pool, and leaves everything else to the default
/// VFS.
struct PoolVFS: @unchecked Sendable {
  static let name = "userpages"

  // Initialised once, registered, and never freed.
  private let vfs: UnsafeMutablePointer<sqlite3_vfs>

  /// Registers the VFS, once in a process. Returns SQLite's result code.
  ///
  /// - Parameter base: what the files beside the database are left to. Nil stands for the default VFS.
  static func register(_ name: String = name, over base: UnsafeMutablePointer<sqlite3_vfs>? = nil) -> Int32 {
    if csqlite_find_vfs(name) != nil { return SQLITE_OK }
    guard let base = base ?? csqlite_find_vfs(nil) else { return SQLITE_ERROR }
    return csqlite_register(PoolVFS(name, over: base).vfs)
  }

  private init(_ name: String, over base: UnsafeMutablePointer<sqlite3_vfs>) {
    vfs = .allocate(capacity: 1)
    var methods = sqlite3_vfs()
    methods.iVersion = min(base.pointee.iVersion, 3)
    methods.szOsFile = Int32(MemoryLayout<csqlite_file>.size) + base.pointee.szOsFile
    methods.mxPathname = base.pointee.mxPathname
    methods.zName = UnsafePointer(Self.copy(name))
    methods.pAppData = UnsafeMutableRawPointer(base)
    methods.xOpen = { Self.open(Self.base($0!), $1, $2!, $3, $4) }
    methods.xDelete = { Self.base($0!).pointee.xDelete(Self.base($0!), $1, $2) }
    methods.xAccess = { Self.base($0!).pointee.xAccess(Self.base($0!), $1, $2, $3) }
    methods.xFullPathname = { Self.base($0!).pointee.xFullPathname(Self.base($0!), $1, $2, $3) }
    methods.xDlOpen = { Self.base($0!).pointee.xDlOpen(Self.base($0!), $1) }
    methods.xDlError = { Self.base($0!).pointee.xDlError(Self.base($0!), $1, $2) }
    methods.xDlSym = { Self.base($0!).pointee.xDlSym(Self.base($0!), $1, $2) }
    methods.xDlClose = { Self.base($0!).pointee.xDlClose(Self.base($0!), $1) }
    methods.xRandomness = { Self.base($0!).pointee.xRandomness(Self.base($0!), $1, $2) }
    methods.xSleep = { Self.base($0!).pointee.xSleep(Self.base($0!), $1) }
    methods.xCurrentTime = { Self.base($0!).pointee.xCurrentTime(Self.base($0!), $1) }
    methods.xGetLastError = { Self.base($0!).pointee.xGetLastError(Self.base($0!), $1, $2) }
    methods.xCurrentTimeInt64 = { Self.base($0!).pointee.xCurrentTimeInt64(Self.base($0!), $1) }
    methods.xSetSystemCall = { Self.base($0!).pointee.xSetSystemCall(Self.base($0!), $1, $2) }
    methods.xGetSystemCall = { Self.base($0!).pointee.xGetSystemCall(Self.base($0!), $1) }
    methods.xNextSystemCall = { Self.base($0!).pointee.xNextSystemCall(Self.base($0!), $1) }
    vfs.initialize(to: methods)
  }

  /// The name as C has it, for as long as the process lives.
  private static func copy(_ name: String) -> UnsafeMutablePointer<CChar> {
    let text = Array(name.utf8CString)
    let memory = UnsafeMutablePointer<CChar>.allocate(capacity: text.count)
    memory.initialize(from: text, count: text.count)
    return memory
  }

  private static func base(_ vfs: UnsafeMutablePointer<sqlite3_vfs>) -> UnsafeMutablePointer<sqlite3_vfs> {
    vfs.pointee.pAppData.assumingMemoryBound(to: sqlite3_vfs.self)
  }

  /// Opens a file. A journal, a WAL or a temporary file becomes the default VFS's own object, in place.
  private static func open(
    _ base: UnsafeMutablePointer<sqlite3_vfs>, _ name: UnsafePointer<CChar>?,
    _ file: UnsafeMutablePointer<sqlite3_file>,
    _ flags: Int32, _ outFlags: UnsafeMutablePointer<Int32>?
  ) -> Int32 {
    guard let name, flags & SQLITE_OPEN_MAIN_DB != 0 else {
      return base.pointee.xOpen(base, name, file, flags, outFlags)
    }
    file.pointee.pMethods = nil
    let inner = InnerFile(file: csqlite_inner_file(file))
    inner.file.pointee.pMethods = nil
    var opened: Int32 = 0
    let result = base.pointee.xOpen(base, name, inner.file, flags, &opened)
    outFlags?.pointee = opened
    guard result == SQLITE_OK else {
      _ = inner.close()
      return result
    }
    do {
      let options = try DatabaseOptions(ofFile: name)
      let pool = try PoolRegistry.connect(name, options, writes: opened & SQLITE_OPEN_READONLY == 0)
      // Another connection of the process has made the pool a shared one, which cannot be taken back.
      let isRefused = options.isExclusive && pool.locks == nil
      // Between the two times that the name was opened it may have been given to another file.
      if isRefused || inner.hasMoved {
        PoolRegistry.disconnect(pool.identity)
        throw PageError.busy
      }
      let methods = inner.hasSharedMemory || pool.locks != nil ? IOMethods.withSharedMemory : .withoutSharedMemory
      methods.attach(Connection(inner, pool, options), to: file)
      return SQLITE_OK
    } catch {
      csqlite_log(SQLITE_CANTOPEN, "\(error)")
      _ = inner.close()
      switch error as? PageError {
      case .some(let error) where error.isLackOfMemory: return SQLITE_NOMEM
      case .busy: return SQLITE_BUSY
      default: return SQLITE_CANTOPEN
      }
    }
  }
}
