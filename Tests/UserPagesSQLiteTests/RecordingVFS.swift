import CSQLite
import Foundation
import Synchronization
import UserPages

@testable import UserPagesSQLite

/// The default VFS with a record of what is done to journals, WALs and databases of one folder (`RecordedDisk`). It
/// syncs nothing.
///
/// It lies below the pool's VFS. What the pool does to the database itself comes by way of a `RecordingStore`.
enum RecordingVFS {
  /// The pool's VFS over this one.
  static let pooledName = "userpages-recorded"

  private static let name = "recorded"
  private static let disks = Mutex<[String: RecordedDisk]>([:])

  /// Registers both, once in a process.
  ///
  /// - Precondition: the extension has begun.
  static let isRegistered: Bool = {
    guard let base = csqlite_find_vfs(nil) else { return false }
    let vfs = UnsafeMutablePointer<sqlite3_vfs>.allocate(capacity: 1)
    // All else is the default VFS's own, which finds its data in the copy.
    vfs.initialize(to: base.pointee)
    vfs.pointee.pNext = nil
    vfs.pointee.zName = UnsafePointer(strdup(name))
    vfs.pointee.szOsFile = Int32(MemoryLayout<csqlite_file>.size) + base.pointee.szOsFile
    vfs.pointee.xOpen = { open($0!, $1, $2!, $3, $4) }
    vfs.pointee.xDelete = { vfs, path, syncsFolder in
      let result = csqlite_find_vfs(nil).pointee.xDelete(vfs, path, 0)
      if result == SQLITE_OK, let path, let found = recorded(String(cString: path)) {
        found.disk.delete(found.name, isSafe: syncsFolder != 0)
      }
      return result
    }
    return csqlite_register(vfs) == SQLITE_OK && PoolVFS.register(pooledName, over: vfs) == SQLITE_OK
  }()

  /// Runs `body` while what is done to the files beside `path` is recorded.
  static func record<Result>(_ path: String, on disk: RecordedDisk, _ body: () throws -> Result) rethrows -> Result {
    disks.withLock { $0[disk.folder] = disk }
    Pool.storeWrappers.withLock { $0[path] = { RecordingStore($0.file, disk, disk.open(disk.name)) } }
    defer {
      disks.withLock { $0[disk.folder] = nil }
      Pool.storeWrappers.withLock { $0[path] = nil }
    }
    return try body()
  }

  private static func recorded(_ path: String) -> (disk: RecordedDisk, name: String)? {
    let url = URL(fileURLWithPath: path)
    return disks.withLock { $0[url.deletingLastPathComponent().path] }.map { ($0, url.lastPathComponent) }
  }

  /// A file of a disk that is recorded.
  private final class File {
    let disk: RecordedDisk
    let number: Int

    init(_ disk: RecordedDisk, _ name: String) {
      self.disk = disk
      number = disk.open(name)
    }
  }

  private static func open(
    _ vfs: UnsafeMutablePointer<sqlite3_vfs>, _ path: UnsafePointer<CChar>?, _ file: UnsafeMutablePointer<sqlite3_file>,
    _ flags: Int32, _ outFlags: UnsafeMutablePointer<Int32>?
  ) -> Int32 {
    let inner = csqlite_inner_file(file)!
    inner.pointee.pMethods = nil
    file.pointee.pMethods = nil
    let result = csqlite_find_vfs(nil).pointee.xOpen(vfs, path, inner, flags, outFlags)
    guard result == SQLITE_OK else { return result }
    let found = path.flatMap { recorded(String(cString: $0)) }
    let state = found.map { Unmanaged.passRetained(File($0.disk, $0.name)).toOpaque() }
    UnsafeMutableRawPointer(file).assumingMemoryBound(to: csqlite_file.self).pointee.connection = state
    file.pointee.pMethods = methods.table
    return SQLITE_OK
  }

  private struct Methods: @unchecked Sendable {
    // Initialised once and then only read.
    let table: UnsafePointer<sqlite3_io_methods>
  }

  private static func inner(_ file: UnsafeMutablePointer<sqlite3_file>?) -> InnerFile {
    InnerFile(file: csqlite_inner_file(file!))
  }

  private static func record(_ file: UnsafeMutablePointer<sqlite3_file>?, _ body: (RecordedDisk, Int) -> Void) {
    guard
      let state = UnsafeMutableRawPointer(file!).assumingMemoryBound(to: csqlite_file.self).pointee.connection
    else { return }
    let recorded = Unmanaged<File>.fromOpaque(state).takeUnretainedValue()
    body(recorded.disk, recorded.number)
  }

  private static let methods: Methods = {
    var methods = sqlite3_io_methods()
    methods.iVersion = 2
    methods.xClose = { file in
      let state = UnsafeMutableRawPointer(file!).assumingMemoryBound(to: csqlite_file.self).pointee.connection
      if let state { Unmanaged<File>.fromOpaque(state).release() }
      file!.pointee.pMethods = nil
      return inner(file).close()
    }
    methods.xRead = { inner($0).read($1, $2, $3) }
    methods.xWrite = { file, bytes, count, offset in
      let result = inner(file).write(bytes, count, offset)
      if result == SQLITE_OK {
        let copy = [UInt8](UnsafeRawBufferPointer(start: bytes, count: Int(count)))
        record(file) { $0.write($1, Int(offset), copy) }
      }
      return result
    }
    methods.xTruncate = { file, size in
      let result = inner(file).truncate(size)
      if result == SQLITE_OK { record(file) { $0.resize($1, Int(size)) } }
      return result
    }
    methods.xSync = { file, _ in
      record(file) { $0.sync($1, begin: $0.count) }
      return SQLITE_OK
    }
    methods.xFileSize = { inner($0).size($1) }
    methods.xLock = { inner($0).lock($1) }
    methods.xUnlock = { inner($0).unlock($1) }
    methods.xCheckReservedLock = { inner($0).checkReservedLock($1) }
    methods.xFileControl = { inner($0).control($1, $2) }
    methods.xSectorSize = { _ in Int32(RecordedDisk.sectorSize) }
    methods.xDeviceCharacteristics = { inner($0).characteristics }
    methods.xShmMap = { inner($0).mapSharedMemory($1, $2, $3, $4) }
    methods.xShmLock = { inner($0).lockSharedMemory($1, $2, $3) }
    methods.xShmBarrier = { inner($0).sharedMemoryBarrier() }
    methods.xShmUnmap = { inner($0).unmapSharedMemory($1) }
    let table = UnsafeMutablePointer<sqlite3_io_methods>.allocate(capacity: 1)
    table.initialize(to: methods)
    return Methods(table: UnsafePointer(table))
  }()
}

/// The file of a pool with a record of what the pool does to it. It syncs nothing.
final class RecordingStore: PageStore {
  private let store: DirectFile
  private let disk: RecordedDisk
  private let number: Int

  init(_ store: DirectFile, _ disk: RecordedDisk, _ number: Int) {
    self.store = store
    self.disk = disk
    self.number = number
  }

  var byteCount: Int { store.byteCount }
  func refreshByteCount() throws(PageError) { try store.refreshByteCount() }

  func read(from page: Int, into pages: borrowing LentPages) throws(PageError) {
    try store.read(from: page, into: pages)
  }

  func write(from page: Int, _ pages: borrowing LentPages) throws(PageError) {
    var bytes: [UInt8] = []
    for index in 0..<pages.count { bytes += pages[index].copy(count: Page.size) }
    try store.write(from: page, pages)
    disk.write(number, page * Page.size, bytes)
    // A direct write of a last page that is not whole makes the file longer for a moment.
    if page * Page.size + bytes.count > store.byteCount { disk.resize(number, store.byteCount) }
  }

  func setByteCount(_ count: Int) throws(PageError) {
    try store.setByteCount(count)
    disk.resize(number, count)
  }

  func punchHole(_ pages: Range<Int>) throws(PageError) {
    try store.punchHole(pages)
    disk.write(number, pages.lowerBound * Page.size, [UInt8](repeating: 0, count: pages.count * Page.size))
  }

  func sync() throws(PageError) { disk.sync(number, begin: disk.count) }
}
