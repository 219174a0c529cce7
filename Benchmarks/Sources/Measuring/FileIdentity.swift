import Glibc

/// Which file an open descriptor or a path leads to: two names of one file have one identity.
public struct FileIdentity: Hashable, Sendable {
  private let device: UInt64
  private let inode: UInt64

  init(_ status: stat) {
    device = UInt64(truncatingIfNeeded: status.st_dev)
    inode = UInt64(truncatingIfNeeded: status.st_ino)
  }

  /// The file at `path`, symbolic links followed. Returns nil if there is none, or none that may be looked at.
  public init?(path: String) {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    self.init(status)
  }

  /// Whether both paths lead to one file, or would once they are created.
  public static func areSame(_ one: String, _ other: String) -> Bool {
    let (first, second) = (FileIdentity(path: one), FileIdentity(path: other))
    if first != nil || second != nil { return first == second }
    let (entry, otherEntry) = (DirectoryEntry(one), DirectoryEntry(other))
    return entry != nil && entry == otherEntry
  }
}

/// A name in a directory, whether or not a file has it.
private struct DirectoryEntry: Equatable {
  let directory: FileIdentity
  let name: Substring

  /// Returns nil if the directory does not exist.
  init?(_ path: String) {
    let split = path.lastIndex(of: "/")
    let parent = split.map { path[...$0] } ?? "."
    guard let identity = FileIdentity(path: String(parent)) else { return nil }
    directory = identity
    name = split.map { path[path.index(after: $0)...] } ?? path[...]
  }
}
