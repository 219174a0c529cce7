import Glibc
import UserPages

/// Where an image's bytes come from.
///
/// The reader checks every range against `byteCount` before it asks, and counts the bytes of the answer. A source's
/// bytes must not change while an image is open over it. What was checked once is relied on later, though only for the
/// meaning of the answers. Even over a changing source no byte outside of it is read.
package protocol EROFSSource: Sendable {
  /// How many bytes there are.
  var byteCount: Int { get }

  /// The `count` bytes at `offset`. Both have been checked against `byteCount`.
  ///
  /// - Throws: `unreadable`.
  func read(at offset: Int, count: Int) throws(EROFSError) -> [UInt8]
}

/// An image held as an array.
package struct EROFSBytes: EROFSSource {
  private let bytes: [UInt8]

  package init(_ bytes: [UInt8]) {
    self.bytes = bytes
  }

  package var byteCount: Int { bytes.count }

  package func read(at offset: Int, count: Int) throws(EROFSError) -> [UInt8] {
    guard offset >= 0, count >= 0, offset <= bytes.count, count <= bytes.count - offset else {
      throw .unreadable(offset: offset, count: count)
    }
    return Array(bytes[offset..<offset + count])
  }
}

/// An image in a real file or on a block device, read with `pread(2)`.
///
/// No byte of the file is mapped into memory. If the file is truncated or its disk fails while the image is read, the
/// read throws `unreadable`. Through a mapping the thread would get SIGBUS.
package final class EROFSFileSource: EROFSSource {
  /// The file's length when it was opened.
  package let byteCount: Int
  private let descriptor: Int32

  /// Opens the file at `path`.
  ///
  /// - Throws:
  ///   - `cannotOpen` with the errno.
  ///   - `notAFile` if `path` names a directory, a pipe, or another file without contents of its own.
  package init(path: String) throws(EROFSError) {
    // Without O_NONBLOCK, opening a named pipe waits for a writer.
    let descriptor = Descriptor.aboveStandardStreams(open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK))
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

  package func read(at offset: Int, count: Int) throws(EROFSError) -> [UInt8] {
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

/// An image in execute-in-place memory, read by frame number.
struct EROFSMemorySource: EROFSSource {
  let image: Image

  var byteCount: Int { image.byteCount }

  func read(at offset: Int, count: Int) throws(EROFSError) -> [UInt8] {
    do {
      return try image.read(at: offset, count: count)
    } catch {
      throw .unreadable(offset: offset, count: count)
    }
  }
}
