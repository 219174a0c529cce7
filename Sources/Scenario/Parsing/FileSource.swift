import Foundation

/// Where scenarios and the files they copy come from.
///
/// A regular file of the computer, or whatever a test puts in its place.
public struct FileSource: Sendable {
  private let load: @Sendable (_ path: String, _ limit: Int) throws(FileSourceError) -> [UInt8]

  /// A source that asks `load` for the bytes behind a path.
  public init(_ load: @escaping @Sendable (_ path: String, _ limit: Int) throws(FileSourceError) -> [UInt8]) {
    self.load = load
  }

  /// The computer's file system.
  public static let fileSystem = FileSource(readRegularFile)

  /// The bytes of the file at `path`, which may hold `limit` bytes at most.
  public func bytes(at path: String, limit: Int) throws(FileSourceError) -> [UInt8] {
    try load(path, limit)
  }
}

/// Why a file's bytes cannot be had.
public struct FileSourceError: Error, Equatable, Sendable {
  public var message: String

  public init(_ message: String) { self.message = message }
}

@Sendable
private func readRegularFile(_ path: String, _ limit: Int) throws(FileSourceError) -> [UInt8] {
  // Resolved, because a symbolic link's own attributes are those of the link.
  let resolved = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
  guard let attributes = try? FileManager.default.attributesOfItem(atPath: resolved) else {
    throw FileSourceError("cannot read \(path): no such file")
  }
  switch attributes[.type] as? FileAttributeType {
  case .typeRegular?: break
  case .typeDirectory?: throw FileSourceError("cannot read \(path): it is a directory")
  default: throw FileSourceError("cannot read \(path): it is not a regular file")
  }
  if let size = (attributes[.size] as? NSNumber)?.intValue, size > limit {
    throw FileSourceError("cannot read \(path): it holds more than \(limit) bytes")
  }
  guard let data = FileManager.default.contents(atPath: resolved) else {
    throw FileSourceError("cannot read \(path): no permission, or the disk failed")
  }
  return [UInt8](data)
}
