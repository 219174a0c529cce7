import CPlatform
import CSQLite
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

/// Which pool of the process: a file has two at most.
///
/// Connections with `immutable=1` have one of their own. They read without a lock, so their pages may be those of a
/// transaction that is not committed yet. Nothing would have the other connections' pool forget such a page. With
/// `exclusive=1` no other process has a transaction, and the pool is the file's only one.
struct PoolIdentity: Hashable, Sendable {
  let file: FileIdentity
  let isApart: Bool

  init(_ file: FileIdentity, _ options: DatabaseOptions) {
    self.file = file
    isApart = options.isApart
  }
}

/// A file that is open for a pool.
struct PoolFile: Sendable {
  let identity: FileIdentity
  let path: String
  /// Changed by nothing. A variable, so that the registry can ask whether it has the last reference.
  var file: DirectFile
  /// The file's, which closes it.
  let descriptor: Int32
  let isWritable: Bool

  /// Opens a file for direct transfers, for reading alone where it cannot be written. It takes no lock: SQLite has its
  /// own.
  ///
  /// - Parameter mustWrite: whether reading alone is not enough.
  /// - Throws: `file` with the errno: `EINVAL` for what is no regular file.
  init(opening path: UnsafePointer<CChar>, mustWrite: Bool = false) throws(PageError) {
    Self.fillStandardDescriptors()
    var descriptor: Int32 = -1
    var access = O_RDWR
    for flags in [O_RDWR | cp_direct_flag(), O_RDWR] + (mustWrite ? [] : [O_RDONLY | cp_direct_flag(), O_RDONLY])
    where descriptor < 0 {
      descriptor = open(path, flags | O_CLOEXEC | O_NONBLOCK)
      access = flags & O_ACCMODE
    }
    guard descriptor >= 0 else { throw .file(.open, errno: errno) }
    isWritable = access == O_RDWR
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw .file(.inspect, errno: errno) }
    identity = FileIdentity(status)
    self.path = String(cString: path)
    // SQLite's locks end with the process.
    file = try DirectFile(owning: descriptor, transfers: .ringForReads)
    self.descriptor = descriptor
  }

  /// What a program prints must not go to a database, if it has closed its standard output or error.
  private static func fillStandardDescriptors() {
    for descriptor in 0..<Int32(3) where fcntl(descriptor, F_GETFD) < 0 { _ = open("/dev/null", O_RDWR) }
  }

  /// Whether a descriptor of the process leads to the file that is none of `descriptors`. Yes if that cannot be found
  /// out.
  func isOpen(besides descriptors: [Int32]) -> Bool {
    guard let folder = opendir("/proc/self/fd") else { return true }
    defer { closedir(folder) }
    while let entry = readdir(folder) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      var status = stat()
      guard let other = Int32(name), !descriptors.contains(other), fstat(other, &status) == 0 else { continue }
      if FileIdentity(status) == identity { return true }
    }
    return false
  }
}

/// The pools of the process, by `PoolIdentity`.
///
/// Closing any descriptor of a file drops the locks that the process has on it by `fcntl(2)`. So a pool's file is
/// closed only when no other descriptor of the process leads to it (`closeParked`). Until then it is kept, and used
/// again by the file's next pool.
enum PoolRegistry {
  private struct Open {
    let pool: Pool
    var connections: Int
  }

  private struct State {
    var pools: [PoolIdentity: Open] = [:]
    /// Files without a pool that cannot be closed yet. A file has several if its name was given to another one while
    /// the name was opened.
    var parked: [FileIdentity: [PoolFile]] = [:]

    mutating func park(_ file: PoolFile) { parked[file.identity, default: []].append(file) }

    /// A file of this identity that is open already, or the one at `path`, which the caller compares with it.
    mutating func takeFile(
      _ identity: FileIdentity, at path: UnsafePointer<CChar>, mustWrite: Bool
    ) throws(PageError) -> PoolFile {
      if let parked = takeParked(identity, mustWrite: mustWrite) { return parked }
      return try PoolFile(opening: path, mustWrite: mustWrite)
    }

    /// A file of this identity that is open already, for writing too if it must be.
    private mutating func takeParked(_ identity: FileIdentity, mustWrite: Bool) -> PoolFile? {
      guard var files = parked[identity],
        let index = files.lastIndex(where: \.isWritable) ?? (mustWrite ? nil : files.indices.last)
      else { return nil }
      let file = files.remove(at: index)
      parked[identity] = files.isEmpty ? nil : files
      return file
    }
  }

  private static let state = Guarded(State())

  /// The pool of the file at `path`, for one more connection.
  ///
  /// - Parameter writes: whether the connection may write.
  /// - Throws:
  ///   - `file` with the errno.
  ///   - `outOfMemory`.
  static func connect(
    _ path: UnsafePointer<CChar>, _ options: DatabaseOptions, writes: Bool = true
  ) throws(PageError) -> Pool {
    try state.withLock { state throws(PageError) in
      var status = stat()
      guard stat(path, &status) == 0 else { throw .file(.inspect, errno: errno) }
      let identity = FileIdentity(status)
      let poolIdentity = PoolIdentity(identity, options)
      if let open = state.pools[poolIdentity] {
        if writes, !open.pool.isWritable { try makeWritable(open.pool, path, &state) }
        state.pools[poolIdentity]?.connections += 1
        return open.pool
      }
      YieldPoint.poolFileBetweenLookAndOpen.reach()
      // A pool with a connection that may write can do so: what it has made dirty has a way to the file.
      let file = try state.takeFile(identity, at: path, mustWrite: writes)
      do throws(PageError) {
        guard file.identity == identity else { throw .file(.open, errno: EINVAL) }
        let pool = try Pool(file, options)
        state.pools[poolIdentity] = Open(pool: pool, connections: 1)
        return pool
      } catch {
        // Beside one that is parked already. It must not take its place: the other one would be closed.
        state.park(file)
        throw error
      }
    }
  }

  /// Opens the file of a pool once more, for a connection that may write: the file could only be read before.
  ///
  /// The first descriptor stays open as well, as closing it would drop locks.
  ///
  /// - Throws: `file` with the errno. The pool is as before.
  private static func makeWritable(
    _ pool: Pool, _ path: UnsafePointer<CChar>, _ state: inout State
  ) throws(PageError) {
    let identity = pool.poolFile.identity
    let file = try state.takeFile(identity, at: path, mustWrite: true)
    do throws(PageError) {
      guard file.identity == identity else { throw .file(.open, errno: EINVAL) }
      try pool.write(to: file)
    } catch {
      state.park(file)
      throw error
    }
  }

  /// Ends a connection's use of a pool. The connection has closed its own descriptor, and refers to the pool no more.
  static func disconnect(_ identity: PoolIdentity) {
    var last = state.withLock { state -> Pool? in
      guard var open = state.pools[identity] else { return nil }
      open.connections -= 1
      state.pools[identity] = open.connections > 0 ? open : nil
      if open.connections > 0 { return nil }
      // Before the file can have another pool, which is the same open file to the kernel: this one's end would take the
      // lock from it.
      open.pool.giveUpLock()
      for file in open.pool.files { state.park(file) }
      return open.pool
    }
    guard last != nil else { return }
    // Outside of the lock: it joins a thread.
    last = nil
    state.withLock { closeParked(&$0) }
  }

  /// Closes the parked files that no other descriptor of the process leads to.
  ///
  /// The default VFS opens a file, and only then asks for SQLite's mutex of the VFS to note which file it is. No
  /// connection locks before that. So the look and the close are one step under this mutex:
  ///
  ///     this thread                                   a connection of the default VFS
  ///     1. takes the mutex
  ///     2. finds no other descriptor                  opens the file; waits for the mutex
  ///     3. closes, which drops no lock
  ///     4. gives the mutex back                       notes the file; locks it
  ///
  /// A descriptor of step 2 that is older than the mutex's hold is found. SQLite's own files stand in the same way to
  /// what else in the process locks the file by `fcntl(2)`.
  private static func closeParked(_ state: inout State) {
    // One look without the mutex: files that stay parked hold no connection up.
    let closable = state.parked.filter { !isInUse($0.value) }.map(\.key)
    if closable.isEmpty { return }
    csqlite_enter_vfs_mutex()
    defer { csqlite_leave_vfs_mutex() }
    for identity in closable {
      guard var files = state.parked.removeValue(forKey: identity) else { continue }
      // A pool that ends late, on another thread, would close its file without the mutex.
      let isLast = files.indices.allSatisfy { isKnownUniquelyReferenced(&files[$0].file) }
      if isLast, !isInUse(files) {
        YieldPoint.poolFileBetweenLookAndClose.reach()
        files.removeAll()
      } else {
        state.parked[identity] = files
      }
    }
  }

  /// Whether another descriptor of the process leads to a parked file.
  private static func isInUse(_ files: [PoolFile]) -> Bool {
    files.contains { $0.isOpen(besides: files.map(\.descriptor)) }
  }
}
