import Glibc

/// A file that this process alone uses: opened once by path, locked, and never looked up again.
///
/// ORDERING [lock a file that has a name]: another process may put a new file in place of the one that is being opened.
///
///     1. this process opens the path and gets the old file
///     2. the other process renames a new file, which it has locked, over the path
///     3. the other process closes the old file, and with it gives up its lock
///     4. this process locks the old file, which no path leads to any more
///
/// Both would then work alone on "the" file, and what this process writes would vanish. So the lock comes first and the
/// comparison after it: a file that is locked and still has its name keeps it, because a process renames over the name
/// only while it holds that lock. If the comparison fails, the path is opened again.
public final class LockedFile {
  public enum Creation {
    case never, ifAbsent
    /// The file must not exist yet.
    case exclusively
  }

  /// The name by which the file was opened, or renamed. Without symbolic links, so that what is put in its place, or
  /// beside it, is put where the file is.
  public private(set) var path: String
  public let descriptor: Int32
  public let identity: FileIdentity
  /// False for a device, a pipe or a socket, which are neither locked nor resized.
  public let isRegular: Bool
  /// Whether opening the file created it.
  public let isNew: Bool

  /// Opens and locks the file at `path`. If it is locked already, the error says so.
  ///
  /// `opened` runs between opening and locking, for tests of that race.
  public init(
    _ path: String, access: Int32 = O_RDWR, creation: Creation = .never, allowsSpecialFiles: Bool = false,
    opened: () -> Void = {}
  ) throws(Failure) {
    self.path = path
    while true {
      let (descriptor, isNew) = try Self.open(path, access, creation)
      var status = stat()
      guard fstat(descriptor, &status) == 0 else {
        let code = errno
        close(descriptor)
        throw Failure("look at", path, errno: code)
      }
      let isRegular = status.st_mode & S_IFMT == S_IFREG
      if !isRegular && !allowsSpecialFiles {
        close(descriptor)
        throw Failure(
          status.st_mode & S_IFMT == S_IFDIR
            ? "cannot open \(path): it is a directory (EISDIR)"
            : "cannot use \(path): it is not a regular file (EINVAL)")
      }
      opened()
      let identity = FileIdentity(status)
      guard isRegular else {
        self.descriptor = descriptor
        self.identity = identity
        self.isRegular = false
        self.isNew = false
        return
      }
      if flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
        let code = errno
        close(descriptor)
        throw code == EWOULDBLOCK
          ? Failure("cannot lock \(path): it is in use by another process (EWOULDBLOCK)")
          : Failure("lock", path, errno: code)
      }
      if FileIdentity(path: path) == identity {
        self.path = try Self.resolve(path, identity)
        self.descriptor = descriptor
        self.identity = identity
        self.isRegular = true
        self.isNew = isNew
        return
      }
      close(descriptor)
    }
  }

  /// The path that leads to the locked file without symbolic links.
  private static func resolve(_ path: String, _ identity: FileIdentity) throws(Failure) -> String {
    guard let text = realpath(path, nil) else { throw Failure("find", path, errno: errno) }
    defer { free(text) }
    let resolved = String(cString: text)
    guard FileIdentity(path: resolved) == identity else {
      throw Failure("cannot lock \(path): a symbolic link on its way was changed meanwhile")
    }
    return resolved
  }

  deinit {
    // A program that another thread is just starting has a copy of the descriptor until it is loaded: closing alone
    // would leave the file locked until then.
    if isRegular { flock(descriptor, LOCK_UN) }
    close(descriptor)
  }

  /// Opens without waiting for the other end of a pipe. Creation is tried first, to know whether this call created the
  /// file.
  private static func open(
    _ path: String, _ access: Int32, _ creation: Creation
  ) throws(Failure) -> (descriptor: Int32, isNew: Bool) {
    let flags = access | O_CLOEXEC | O_NONBLOCK | O_NOCTTY
    if creation != .never {
      let descriptor = Glibc.open(path, flags | O_CREAT | O_EXCL, 0o644)
      if descriptor >= 0 { return (descriptor, true) }
      if errno != EEXIST || creation == .exclusively { throw Failure("create", path, errno: errno) }
    }
    // O_CREAT once more: a symbolic link that leads nowhere exists, and the file behind it does not.
    let descriptor = Glibc.open(path, creation == .never ? flags : flags | O_CREAT, 0o644)
    if descriptor < 0 { throw Failure("open", path, errno: errno) }
    return (descriptor, false)
  }

  public var byteCount: Int {
    get throws(Failure) {
      var status = stat()
      if fstat(descriptor, &status) != 0 { throw Failure("look at", path, errno: errno) }
      return Int(status.st_size)
    }
  }

  /// Fills `bytes` from `offset` on. A file that ends before is an error.
  public func read(_ bytes: UnsafeMutableRawBufferPointer, at offset: Int) throws(Failure) {
    var done = 0
    while done < bytes.count {
      let count = pread(descriptor, bytes.baseAddress! + done, bytes.count - done, offset + done)
      if count < 0 && errno == EINTR { continue }
      if count < 0 { throw Failure("read", path, errno: errno) }
      if count == 0 { throw Failure("\(path) is truncated: it ends at byte \(offset + done)") }
      done += count
    }
  }

  public func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(Failure) {
    var done = 0
    while done < bytes.count {
      let count = pwrite(descriptor, bytes.baseAddress! + done, bytes.count - done, offset + done)
      if count < 0 && errno == EINTR { continue }
      if count <= 0 { throw Failure("write", path, errno: count < 0 ? errno : ENOSPC) }
      done += count
    }
  }

  public func truncate(to size: Int) throws(Failure) {
    if ftruncate(descriptor, size) != 0 { throw Failure("resize", path, errno: errno) }
  }

  /// Takes disk space for the first `size` bytes, and makes the file at least that long.
  public func reserve(_ size: Int) throws(Failure) {
    let code = posix_fallocate(descriptor, 0, size)
    if code == 0 { return }
    if code != EOPNOTSUPP && code != EINVAL { throw Failure("take disk space for", path, errno: code) }
    if try byteCount < size { try truncate(to: size) }
  }

  /// Returns when the bytes, and the size that it takes to read them, are on the disk.
  public func synchronize() throws(Failure) {
    if fdatasync(descriptor) != 0 { throw Failure("synchronise", path, errno: errno) }
  }

  /// Returns when the name of the file is on the disk.
  public func synchronizeDirectory() throws(Failure) {
    let parent = path.lastIndex(of: "/").map { String(path[...$0]) } ?? "."
    let directory = Glibc.open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    if directory < 0 { throw Failure("open the directory", parent, errno: errno) }
    defer { close(directory) }
    // Some file systems have nothing to synchronise there, and say so.
    if fsync(directory) != 0 && errno != EINVAL { throw Failure("synchronise the directory", parent, errno: errno) }
  }

  /// The offset of the first byte from `offset` on that is not in a hole. Returns nil if there is none.
  public func firstData(from offset: Int) throws(Failure) -> Int? {
    let found = lseek(descriptor, offset, 3)  // SEEK_DATA, which Swift's view of <unistd.h> hides
    if found >= 0 { return found }
    if errno == ENXIO { return nil }
    if errno == EINVAL { return try offset < byteCount ? offset : nil }
    throw Failure("read", path, errno: errno)
  }

  /// Asks the kernel to forget its copy, so that what is read next comes from the disk.
  public func dropCache() {
    posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED)
  }

  /// Opens the same file once more with other flags, whatever name it has by now.
  public func reopen(_ flags: Int32) throws(Failure) -> Int32 {
    let again = Glibc.open("/proc/self/fd/\(descriptor)", flags | O_CLOEXEC)
    if again < 0 { throw Failure("open", path, errno: errno) }
    return again
  }

  /// Refuses a file that has other names: they would go on leading to it if another file took its place.
  public func requireOneName() throws(Failure) {
    var status = stat()
    if fstat(descriptor, &status) != 0 { throw Failure("look at", path, errno: errno) }
    if status.st_nlink > 1 {
      throw Failure(
        "cannot replace \(path): the file has \(status.st_nlink) names (hard links), and only one would lead to the new one"
      )
    }
  }

  /// Puts this file in place of `other`, which the caller has locked, at once or not at all.
  public func rename(over other: LockedFile) throws(Failure) {
    try other.requireOneName()
    try rename(over: other.path)
  }

  /// Puts this file in place of the one at `name`, at once or not at all. The caller holds the lock of that one.
  public func rename(over name: String) throws(Failure) {
    if Glibc.rename(path, name) != 0 { throw Failure("rename \(path) over", name, errno: errno) }
    path = name
  }

  /// Removes the file's name, if it still leads to this file.
  public func remove() {
    if FileIdentity(path: path) == identity { unlink(path) }
  }
}
