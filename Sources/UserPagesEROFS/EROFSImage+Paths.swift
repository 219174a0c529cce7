extension EROFSImage {
  static let maximumPath = 4095
  private static let maximumLinks = 40
  private static let slash: UInt8 = 0x2f

  /// The inode that a path from the image's root names, as a process finds it after `chroot(2)` to that root.
  ///
  /// Symbolic links on the way are followed. A link that is the last component is followed only with `followLast`. `..`
  /// goes back the way that the walk came. So neither a link nor a directory's own entry for its parent leads out of
  /// the image.
  ///
  /// - Throws: `notFound`, `notADirectory`, `nameTooLong`, `tooManyLinks`, and what reading inodes and directories
  ///   throws.
  public func inode(at path: String, followLast: Bool = true) throws(EROFSError) -> Inode {
    try inode(at: Array(path.utf8), followLast: followLast)
  }

  /// The inode that a path of bytes names, which need not be text.
  ///
  /// - Throws: as for text.
  package func inode(at path: [UInt8], followLast: Bool = true) throws(EROFSError) -> Inode {
    guard path.count <= Self.maximumPath else { throw .nameTooLong(text(path)) }
    let root = try inode(superblock.root)
    // The directories from the root to where the walk is, and the components still to walk, the next one last.
    var way = [root]
    var pending = Self.components(of: path)
    var current = root
    var links = 0
    while let component = pending.popLast() {
      guard current.type == .directory else { throw .notADirectory(text(path)) }
      if component == [0x2e] { continue }
      if component == [0x2e, 0x2e] {
        if way.count > 1 { way.removeLast() }
        current = way.last ?? root
        continue
      }
      guard component.count <= DirectoryBlock.maximumName else { throw .nameTooLong(text(path)) }
      guard let entry = try lookUp(component, in: current) else { throw .notFound(text(path)) }
      let next = try inode(entry.node)
      guard next.type == .symbolicLink, followLast || !pending.isEmpty else {
        current = next
        way.append(next)
        continue
      }
      links += 1
      guard links <= Self.maximumLinks else { throw .tooManyLinks(text(path)) }
      let target = try target(of: next)
      if target.first == Self.slash {
        way = [root]
        current = root
      }
      pending += Self.components(of: target)
    }
    return current
  }

  /// The components of a path, last one first. A trailing slash asks for a directory, as a last component `.` does.
  private static func components(of path: [UInt8]) -> [[UInt8]] {
    var components = path.split(separator: slash).map(Array.init)
    if path.last == slash { components.append([0x2e]) }
    return components.reversed()
  }

  private func text(_ path: [UInt8]) -> String { String(decoding: path, as: UTF8.self) }
}
