import Foundation

/// The place that scenarios and the files they copy are read from.
///
/// It is the file system, or the contents that a test gives.
public struct FileSource: Sendable {
  private let load: @Sendable (_ path: String, _ limit: Int) throws(FileSourceError) -> [UInt8]

  /// A source that asks `load` for the bytes at a path.
  public init(_ load: @escaping @Sendable (_ path: String, _ limit: Int) throws(FileSourceError) -> [UInt8]) {
    self.load = load
  }

  /// The computer's file system, which must have a regular file at each path.
  public static let fileSystem = FileSource(readRegularFile)

  /// Standard input, whatever the path.
  public static let standardInput = FileSource(readStandardInput)

  /// The bytes of the file at `path`. A file of more than `limit` bytes is an error.
  public func bytes(at path: String, limit: Int) throws(FileSourceError) -> [UInt8] {
    try load(path, limit)
  }
}

/// A file that could not be read. The message names the path and says why.
public struct FileSourceError: Error, Equatable, Sendable {
  public var message: String

  public init(_ message: String) { self.message = message }

  /// The error of the file at `path`.
  public init(_ path: String, _ reason: some CustomStringConvertible) {
    message = "cannot read \(path): \(reason)"
  }
}

@Sendable
private func readRegularFile(_ path: String, _ limit: Int) throws(FileSourceError) -> [UInt8] {
  // Without O_NONBLOCK the open of a FIFO would wait for its writer.
  let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
  guard descriptor >= 0 else { throw FileSourceError(path, SystemError.last) }
  defer { close(descriptor) }
  var status = stat()
  guard fstat(descriptor, &status) == 0 else { throw FileSourceError(path, SystemError.last) }
  switch status.st_mode & S_IFMT {
  case S_IFREG: return try readToEnd(descriptor, path, limit, size: Int(status.st_size))
  case S_IFDIR: throw FileSourceError(path, SystemError(code: EISDIR))
  default: throw FileSourceError(path, "it is not a regular file")
  }
}

@Sendable
private func readStandardInput(_ path: String, _ limit: Int) throws(FileSourceError) -> [UInt8] {
  try readToEnd(STDIN_FILENO, path, limit, size: 0)
}

/// Reads until the end of the file, which may have grown since its size was read.
private func readToEnd(
  _ descriptor: Int32, _ path: String, _ limit: Int, size: Int
) throws(FileSourceError) -> [UInt8] {
  let tooLarge = FileSourceError(path, "it holds more than \(limit) bytes")
  guard size <= limit else { throw tooLarge }
  var bytes: [UInt8] = []
  bytes.reserveCapacity(size)
  var piece = [UInt8](repeating: 0, count: 1 << 16)
  while true {
    let count = piece.withUnsafeMutableBytes { read(descriptor, $0.baseAddress, $0.count) }
    if count < 0, errno == EINTR { continue }
    guard count >= 0 else { throw FileSourceError(path, SystemError.last) }
    if count == 0 { return bytes }
    bytes += piece[..<count]
    guard bytes.count <= limit else { throw tooLarge }
  }
}
