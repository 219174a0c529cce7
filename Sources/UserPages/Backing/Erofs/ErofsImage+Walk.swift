/// One file that a walk over an image met.
public struct ErofsVisit: Sendable {
  /// The path from where the walk began, without a slash in front; empty for that itself.
  public let path: [UInt8]
  /// How many directories lie above, counted from where the walk began.
  public let depth: Int
  /// The directory that has the file's name; the file's own number where the walk began.
  public let parent: ErofsNodeID
  /// The file's number.
  public let node: ErofsNodeID
  /// The type that the directory's entry states.
  public let statedType: ErofsFileType?

  /// The path as text, with what is not UTF-8 replaced.
  public var text: String { String(decoding: path, as: UTF8.self) }
}

extension ErofsImage {
  /// The least that a name takes in a directory: its entry, and one byte.
  private static let smallestName = 13

  /// Visits a file and, if it is a directory, everything below it: in the order of the names, a directory before what is
  /// in it.
  ///
  /// `visit` gets each file's inode, or the error that reading it gave, and answers whether to go into it. An error in a
  /// directory's entries goes to `failed`; the walk then leaves the directory and goes on. A directory that was entered
  /// before is not entered again and goes to `failed`; so does one with a path that no system call would take.
  ///
  /// The image is untrusted, so work and memory are bounded. The walk throws `overfull` once it met more names than the
  /// image has room for: a malicious image uses the same blocks for many directories. It holds one block for each
  /// directory on the way to where it is, at most 2048, and the set of the directories it entered. It throws `memoryLimit`
  /// if that set outgrows its bound.
  public func walk(
    from start: ErofsInode,
    visit: (ErofsVisit, Result<ErofsInode, ErofsError>) throws(ErofsError) -> Bool,
    failed: (ErofsVisit, ErofsError) throws(ErofsError) -> Void
  ) throws(ErofsError) {
    var entered = ErofsNodeSet()
    var levels: [Level] = []
    var room = byteCount / Self.smallestName + 1
    var next: ErofsVisit? = ErofsVisit(
      path: [], depth: 0, parent: start.node, node: start.node, statedType: start.type)
    while true {
      if let visited = next {
        let result = inodeResult(visited.node)
        if try visit(visited, result), case .success(let inode) = result, inode.type == .directory {
          if try !entered.insert(inode.node) {
            try failed(visited, .directoryLoop(inode.node))
          } else if visited.path.count > Self.maximumPath {
            try failed(visited, .tooDeep(inode.node))
          } else {
            levels.append(Level(cursor: try ErofsDirectoryCursor(inode, in: self), visit: visited))
          }
        }
      }
      guard let top = levels.indices.last else { return }
      do throws(ErofsError) {
        next = try levels[top].nextVisit()
        if next == nil { levels.removeLast() } else { room -= 1 }
      } catch {
        next = nil
        try failed(levels.removeLast().visit, error)
      }
      guard room >= 0 else { throw .overfull(.directory) }
    }
  }

  private func inodeResult(_ node: ErofsNodeID) -> Result<ErofsInode, ErofsError> {
    do {
      return .success(try inode(node))
    } catch {
      return .failure(error)
    }
  }
}

/// A directory that a walk is in.
private struct Level {
  var cursor: ErofsDirectoryCursor
  let visit: ErofsVisit

  /// What the directory's next entry names, `.` and `..` left out; nil after the last one.
  mutating func nextVisit() throws(ErofsError) -> ErofsVisit? {
    while let entry = try cursor.next() {
      if entry.isDot { continue }
      return ErofsVisit(
        path: visit.path.isEmpty ? entry.name : visit.path + [0x2f] + entry.name,
        depth: visit.depth + 1,
        parent: cursor.directory.node,
        node: entry.node,
        statedType: entry.type)
    }
    return nil
  }
}
