import Foundation
import UserPages

/// A real temporary file beside its page cache. It has no name left, and is gone with the last descriptor.
final class DiskFile {
  let cache: PageCache
  /// Reads the file past the page cache.
  private let descriptor: Int32

  /// Makes a file in `$TMPDIR`, else in `/var/tmp`.
  ///
  /// - Throws: what the file system answered.
  init(_ memory: PhysicalMemory, _ contents: Contents, limit: Int, maximumPages: Int) throws(PageError) {
    let folder = ProcessInfo.processInfo.environment["TMPDIR"] ?? "/var/tmp"
    var path = Array("\(folder)/user-pages-file-XXXXXX".utf8CString)
    descriptor = mkstemp(&path)
    guard descriptor >= 0 else { throw .file(.create, errno: errno) }
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    do throws(PageError) {
      defer { unlink(path) }
      try Self.fill(descriptor, contents)
      let name = String(decoding: path.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
      cache = try PageCache(memory, try DirectFile(path: name), limit: limit, maximumPages: maximumPages)
    } catch {
      close(descriptor)
      throw error
    }
  }

  deinit { close(descriptor) }

  /// The bytes that the real file has at `offset`, fewer at its end.
  func bytesOnDisk(at offset: Int, count: Int) throws(PageError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    var done = 0
    while done < count {
      let read = bytes.withUnsafeMutableBytes {
        pread(descriptor, $0.baseAddress! + done, count - done, off_t(offset + done))
      }
      if read < 0, errno == EINTR { continue }
      guard read >= 0 else { throw .file(.read, errno: errno) }
      if read == 0 { break }
      done += read
    }
    return Array(bytes[..<done])
  }

  private static func fill(_ descriptor: Int32, _ contents: Contents) throws(PageError) {
    switch contents {
    case .copied(_, let bytes): try write(descriptor, bytes, at: 0)
    case .filled(let pages, let byte):
      guard ftruncate(descriptor, off_t(pages * Page.size)) == 0 else { throw .file(.resize, errno: errno) }
      // A file of zeroes is a hole.
      guard let byte, byte != 0 else { return }
      let piece = [UInt8](repeating: byte, count: min(pages, 256) * Page.size)
      for page in stride(from: 0, to: pages, by: 256) {
        try write(descriptor, Array(piece[..<(min(pages - page, 256) * Page.size)]), at: page * Page.size)
      }
    }
  }

  private static func write(_ descriptor: Int32, _ bytes: [UInt8], at offset: Int) throws(PageError) {
    var done = 0
    while done < bytes.count {
      let count = bytes.withUnsafeBytes {
        pwrite(descriptor, $0.baseAddress! + done, bytes.count - done, off_t(offset + done))
      }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw .file(.write, errno: errno) }
      done += count
    }
  }
}
