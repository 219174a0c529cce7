import Glibc

/// An image in a real file or on a block device, read with `pread(2)`.
///
/// No byte of the file is mapped into memory. If the file is truncated or its disk fails while the image is read, the read
/// throws `ErofsError.unreadable`; through a mapping the process would get SIGBUS.
public final class ErofsFileSource: ErofsSource {
  /// The file's length when it was opened.
  public let byteCount: Int
  private let descriptor: Int32

  /// Opens the file at `path`.
  ///
  /// - Throws: `cannotOpen` with the errno; `notAFile` if `path` names a directory, a pipe, or another file without contents
  ///   of its own.
  public init(path: String) throws(ErofsError) {
    // Without O_NONBLOCK, opening a named pipe waits for a writer.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw .cannotOpen(path: path, errno: errno) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, [S_IFREG, S_IFBLK].contains(status.st_mode & S_IFMT) else {
      close(descriptor)
      throw .notAFile(path: path)
    }
    self.descriptor = descriptor
    // `st_size` of a block device is zero.
    byteCount = max(0, Int(lseek(descriptor, 0, SEEK_END)))
  }

  deinit { close(descriptor) }

  public func read(at offset: Int, count: Int) throws(ErofsError) -> [UInt8] {
    guard offset >= 0, count >= 0 else { throw .unreadable(offset: offset, count: count) }
    var bytes: [UInt8] = []
    while bytes.count < count {
      var part = [UInt8](repeating: 0, count: count - bytes.count)
      let done = pread(descriptor, &part, part.count, offset + bytes.count)
      if done < 0, errno == EINTR { continue }
      // Fewer bytes than the length that was checked before: the file was truncated meanwhile.
      guard done > 0 else { throw .unreadable(offset: offset, count: count) }
      if done == count { return part }
      bytes += part.prefix(done)
    }
    return bytes
  }
}
