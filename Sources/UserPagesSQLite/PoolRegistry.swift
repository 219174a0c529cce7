import CPlatform
import Glibc
import UserPages

/// Which file it is, by whatever name.
struct FileIdentity: Hashable, Sendable {
  let device: UInt64
  let inode: UInt64

  init(_ status: stat) {
    device = UInt64(status.st_dev)
    inode = UInt64(status.st_ino)
  }
}

/// A file that is open for a pool.
struct PoolFile: Sendable {
  let identity: FileIdentity
  let path: String
  let file: DirectFile
  /// The file's, which closes it.
  let descriptor: Int32

  /// Opens a file for direct transfers, for reading alone where it cannot be written. It takes no lock: SQLite has its
  /// own.
  ///
  /// - Throws: `file` with the errno: `EINVAL` for what is no regular file.
  init(opening path: UnsafePointer<CChar>) throws(PageError) {
    Self.fillStandardDescriptors()
    var descriptor: Int32 = -1
    for flags in [O_RDWR | cp_direct_flag(), O_RDWR, O_RDONLY | cp_direct_flag(), O_RDONLY] where descriptor < 0 {
      descriptor = open(path, flags | O_CLOEXEC | O_NONBLOCK)
    }
    guard descriptor >= 0 else { throw .file(.open, errno: errno) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw .file(.inspect, errno: errno) }
    identity = FileIdentity(status)
    self.path = String(cString: path)
    file = try DirectFile(owning: descriptor)
    self.descriptor = descriptor
  }

  /// What a program prints must not go to a database, if it has closed its standard output or error.
  private static func fillStandardDescriptors() {
    for descriptor in 0..<Int32(3) where fcntl(descriptor, F_GETFD) < 0 { _ = open("/dev/null", O_RDWR) }
  }

  /// Whether another descriptor of the process leads to the file. Yes if that cannot be found out.
  var hasOtherDescriptors: Bool {
    guard let folder = opendir("/proc/self/fd") else { return true }
    defer { closedir(folder) }
    while let entry = readdir(folder) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      var status = stat()
      guard let other = Int32(name), other != descriptor, fstat(other, &status) == 0 else { continue }
      if FileIdentity(status) == identity { return true }
    }
    return false
  }
}

/// The pools of the process, one for each file.
///
/// Closing any descriptor of a file drops the locks that the process has on it by `fcntl(2)`. So a pool's file is
/// closed only when no other descriptor of the process leads to it. Until then it is kept, and used again by the file's
/// next pool.
enum PoolRegistry {
  private struct Open {
    let pool: Pool
    var connections: Int
  }

  private struct State {
    var pools: [FileIdentity: Open] = [:]
    /// Files without a pool that cannot be closed yet.
    var parked: [FileIdentity: PoolFile] = [:]
  }

  private static let state = Guarded(State())

  /// The pool of the file at `path`, for one more connection.
  ///
  /// - Throws: `file` with the errno; `outOfMemory`.
  static func connect(_ path: UnsafePointer<CChar>, _ options: DatabaseOptions) throws(PageError) -> Pool {
    try state.withLock { state throws(PageError) in
      var status = stat()
      guard stat(path, &status) == 0 else { throw .file(.inspect, errno: errno) }
      let identity = FileIdentity(status)
      if let open = state.pools[identity] {
        state.pools[identity]?.connections += 1
        return open.pool
      }
      let file: PoolFile
      if let parked = state.parked.removeValue(forKey: identity) {
        file = parked
      } else {
        file = try PoolFile(opening: path)
      }
      do throws(PageError) {
        guard file.identity == identity else { throw .file(.open, errno: EINVAL) }
        let pool = try Pool(file, options)
        state.pools[identity] = Open(pool: pool, connections: 1)
        return pool
      } catch {
        state.parked[file.identity] = file
        throw error
      }
    }
  }

  /// Ends a connection's use of a pool. The connection has closed its own descriptor, and refers to the pool no more.
  static func disconnect(_ identity: FileIdentity) {
    var last = state.withLock { state -> Pool? in
      guard var open = state.pools[identity] else { return nil }
      open.connections -= 1
      state.pools[identity] = open.connections > 0 ? open : nil
      if open.connections > 0 { return nil }
      // Before the file can have another pool, which is the same open file to the kernel: this one's end would take the
      // lock from it.
      open.pool.giveUpLock()
      state.parked[identity] = open.pool.poolFile
      return open.pool
    }
    guard last != nil else { return }
    // Outside of the lock: it joins a thread.
    last = nil
    state.withLock { state in state.parked = state.parked.filter { $0.value.hasOtherDescriptors } }
  }
}
