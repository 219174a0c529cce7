import Glibc
import UserPages

/// An image read from an open file, so that large ones need not be held in memory.
final class FileSource: ErofsSource {
  let byteCount: Int
  private let descriptor: Int32

  init(_ path: String) throws {
    descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw Tool.Failure(description: "cannot open \(path)") }
    byteCount = Int(lseek(descriptor, 0, SEEK_END))
  }

  deinit {
    close(descriptor)
  }

  func read(at offset: Int, count: Int) throws(ErofsError) -> [UInt8] {
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
      filled = max(0, pread(descriptor, buffer.baseAddress, count, offset))
    }
    guard bytes.count == count else { throw .unreadable(offset: offset, count: count) }
    return bytes
  }
}
