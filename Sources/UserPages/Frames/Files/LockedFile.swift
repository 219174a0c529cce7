import Glibc

/// Opening a real file for one user at a time, of this process or another.
enum LockedFile {
  /// Opens the file at `path` for reading and writing, makes it where there is none, and locks it (`flock(2)`). The
  /// lock ends with the descriptor, which the caller closes.
  ///
  /// The lock is the inode's, and the name may have been given to another inode between opening and locking. Then this
  /// user would lock a file that no other finds. So device and inode are compared after.
  ///
  /// - Parameter flags: of `open(2)`, beside `O_RDWR`, `O_CREAT` and `O_CLOEXEC`.
  /// - Throws:
  ///   - `busy` if the file has another user.
  ///   - `file`, with the errno, if it cannot be opened or is neither a regular file nor a block device.
  static func open(_ path: String, flags: Int32 = 0) throws(PageError) -> Int32 {
    while true {
      // Without O_NONBLOCK, opening a named pipe waits for a reader.
      let file = Descriptor.aboveStandardStreams(
        Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK | flags, 0o600))
      guard file >= 0 else { throw .file(.open, errno: errno) }
      var (opened, named) = (stat(), stat())
      var failure: PageError?
      if fstat(file, &opened) != 0 {
        failure = .file(.inspect, errno: errno)
      } else if opened.st_mode & S_IFMT != S_IFREG, opened.st_mode & S_IFMT != S_IFBLK {
        failure = .file(.open, errno: EINVAL)
      } else if flock(file, LOCK_EX | LOCK_NB) != 0 {
        failure = errno == EWOULDBLOCK ? .busy : .file(.lock, errno: errno)
      }
      if let failure {
        close(file)
        throw failure
      }
      YieldPoint.lockedFileBetweenLockAndLook.reach()
      if stat(path, &named) == 0, named.st_dev == opened.st_dev, named.st_ino == opened.st_ino {
        // A ring would refuse what has to wait, on file systems that take the flag at its word.
        _ = fcntl(file, F_SETFL, fcntl(file, F_GETFL) & ~O_NONBLOCK)
        return file
      }
      // Renamed or removed meanwhile: what the name leads to now is locked instead.
      close(file)
    }
  }
}
