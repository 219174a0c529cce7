import Glibc
import UserPages

/// Reads a file with O_DIRECT straight into pinned pages of an address space, and lets the program look at it.
///
///     swift run example-direct-read [FILE]
///
/// Without a file it writes one of four pages and reads that. A file system that refuses O_DIRECT is read through the
/// kernel's page cache.
@main
struct DirectRead {
  /// O_DIRECT of Linux on this architecture: a macro that Swift does not import.
  #if arch(arm64)
    private static let direct: Int32 = 0o200000
  #else
    private static let direct: Int32 = 0o40000
  #endif

  static func main() throws {
    let given = CommandLine.arguments.dropFirst().first
    let path = try given ?? sampleFile()
    defer { if given == nil { unlink(path) } }
    let memory = try PhysicalMemory(ramPages: 256)
    let space = AddressSpace(memory)
    let buffer: VirtualAddress = 0x10_0000
    try space.map(at: buffer, pages: 4, protection: .readWrite)

    // The pages stay put while the disk writes into them: no copy, no lock.
    let pins = try space.pin(at: buffer, pages: 4, .write)
    let count = try read(path, into: pins)
    pins.release(dirty: true)

    // The program sees what the disk wrote.
    let first = try space.load(at: buffer, count: 16)
    print("\(count) bytes of \(path), first: \(first)")
    precondition(count > 0, "the file is empty")
  }

  /// Reads the start of a file into pinned pages by one `preadv(2)`. Returns the number of bytes.
  private static func read(_ path: String, into pins: borrowing PinnedPages) throws -> Int {
    var file = open(path, O_RDONLY | direct)
    if file < 0, errno == EINVAL { file = open(path, O_RDONLY) }
    guard file >= 0 else { throw SystemError(call: "open", path: path, code: errno) }
    defer { close(file) }
    let count = pins.withUnsafeMutableIOVectors { vectors in preadv(file, vectors, Int32(vectors.count), 0) }
    guard count >= 0 else { throw SystemError(call: "preadv", path: path, code: errno) }
    return count
  }

  /// Writes a file of four pages to read.
  private static func sampleFile() throws -> String {
    let path = "/tmp/user-pages-direct-read.\(getpid())"
    let file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    guard file >= 0 else { throw SystemError(call: "open", path: path, code: errno) }
    defer { close(file) }
    let bytes = (0..<4 * 4096).map { UInt8(truncatingIfNeeded: $0) }
    guard write(file, bytes, bytes.count) == bytes.count else {
      throw SystemError(call: "write", path: path, code: errno)
    }
    return path
  }
}

/// A system call that failed.
struct SystemError: Error, CustomStringConvertible {
  let call: String
  let path: String
  let code: Int32

  var description: String { "\(call) \(path): \(String(cString: strerror(code)))" }
}
