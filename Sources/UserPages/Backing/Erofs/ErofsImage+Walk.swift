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

  /// Visits a file and, where it is a directory, everything below it: in the order of the names, a directory before what is
  /// in it.
  ///
  /// `visit` gets each file's inode, or the error that reading it gave, and answers whether to go into it. What is wrong
  /// with a directory's entries goes to `failed`; the walk then leaves the directory and goes on. A directory that was
  /// entered before is not entered again, and told to `failed`; so is one with a path that no system call would take.
  ///
  /// A malicious image can use the same blocks for many directories. The walk throws when it met more names than the image
  /// has room for, so its work is bounded by the image's size.
  public func walk(
    from start: ErofsInode,
    visit: (ErofsVisit, Result<ErofsInode, ErofsError>) throws(ErofsError) -> Bool,
    failed: (ErofsVisit, ErofsError) throws(ErofsError) -> Void
  ) throws(ErofsError) {
    var entered: Set<ErofsNodeID> = []
    var pending = [
      ErofsVisit(path: [], depth: 0, parent: start.node, node: start.node, statedType: start.type)
    ]
    var room = byteCount / Self.smallestName + 1
    while let next = pending.popLast() {
      let result = inodeResult(next.node)
      guard try visit(next, result), case .success(let inode) = result, inode.type == .directory else { continue }
      guard entered.insert(inode.node).inserted else {
        try failed(next, .directoryLoop(inode.node))
        continue
      }
      guard next.path.count <= Self.maximumPath else {
        try failed(next, .tooDeep(inode.node))
        continue
      }
      do {
        let children = try children(of: inode, at: next)
        room -= children.count
        pending += children.reversed()
      } catch {
        try failed(next, error)
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

  private func children(of directory: ErofsInode, at visit: ErofsVisit) throws(ErofsError) -> [ErofsVisit] {
    var children: [ErofsVisit] = []
    try forEachEntry(of: directory) { (entry) throws(ErofsError) in
      guard !entry.isDot else { return }
      children.append(
        ErofsVisit(
          path: visit.path.isEmpty ? entry.name : visit.path + [0x2f] + entry.name,
          depth: visit.depth + 1,
          parent: directory.node,
          node: entry.node,
          statedType: entry.type))
    }
    return children
  }
}
