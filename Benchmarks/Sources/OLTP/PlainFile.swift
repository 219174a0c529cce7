import Glibc
import UserPages

/// A file by the ordinary system calls through the page cache, every error named, every short transfer continued.
final class PlainFile: Sendable {
  let path: String
  let descriptor: Int32

  init(path: String, flags: Int32) throws(Failure) {
    self.path = path
    descriptor = open(path, flags | O_CLOEXEC, 0o644)
    if descriptor < 0 { throw Failure("open", path, errno: errno) }
  }

  deinit {
    close(descriptor)
  }

  static func exists(_ path: String) -> Bool {
    access(path, F_OK) == 0
  }

  var byteCount: Int {
    get throws(Failure) {
      var status = stat()
      if fstat(descriptor, &status) != 0 { throw Failure("look at", path, errno: errno) }
      return Int(status.st_size)
    }
  }

  /// Two programs on one database would destroy it.
  func lockAlone() throws(Failure) {
    if flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
      throw errno == EWOULDBLOCK
        ? Failure("\(path) is in use by another process") : Failure("lock", path, errno: errno)
    }
  }

  func read(_ bytes: UnsafeMutableRawBufferPointer, at offset: Int) throws(Failure) {
    var done = 0
    while done < bytes.count {
      let count = pread(descriptor, bytes.baseAddress! + done, bytes.count - done, offset + done)
      if count < 0 && errno == EINTR { continue }
      if count < 0 { throw Failure("read", path, errno: errno) }
      if count == 0 { throw Failure("\(path) is truncated: it ends at byte \(offset + done)") }
      done += count
    }
  }

  func write(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(Failure) {
    var done = 0
    while done < bytes.count {
      let count = pwrite(descriptor, bytes.baseAddress! + done, bytes.count - done, offset + done)
      if count < 0 && errno == EINTR { continue }
      if count < 0 { throw Failure("write", path, errno: errno) }
      if count == 0 { throw Failure("write", path, errno: ENOSPC) }
      done += count
    }
  }

  func truncate(to size: Int) throws(Failure) {
    if ftruncate(descriptor, size) != 0 { throw Failure("resize", path, errno: errno) }
  }

  func synchronize() throws(Failure) {
    if fsync(descriptor) != 0 { throw Failure("synchronise", path, errno: errno) }
  }

  /// Asks the kernel to forget its copy, so that what is read next comes from the disk.
  func dropCache() {
    posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED)
  }
}

/// Ordinary page-aligned memory.
final class AlignedMemory: @unchecked Sendable {
  // Sendable: the address never changes; who writes where is its users' agreement.
  let bytes: UnsafeMutableRawBufferPointer

  init(pages: Int) {
    bytes = .allocate(byteCount: pages * Page.size, alignment: Page.size)
    bytes.initializeMemory(as: UInt8.self, repeating: 0)
  }

  deinit {
    bytes.deallocate()
  }

  var address: UnsafeMutableRawPointer { bytes.baseAddress! }
}
