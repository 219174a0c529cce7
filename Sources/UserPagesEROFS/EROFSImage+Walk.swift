extension EROFSImage {
  /// One file that a walk over an image meets.
  package struct Visit: Sendable {
    /// The path from where the walk began, without a slash in front. Empty for the start itself.
    package let path: [UInt8]
    /// How many directories lie above, counted from where the walk began.
    package let depth: Int
    /// The directory that has the file's name. Where the walk began, it is the file's own number.
    package let parent: NodeID
    /// The file's number.
    package let node: NodeID
    /// The type that the directory's entry states.
    package let statedType: FileType?

    /// The path as text, with what is not UTF-8 replaced.
    package var text: String { String(decoding: path, as: UTF8.self) }
  }

  /// The least that a name takes in a directory: its entry, and one byte.
  private static let smallestName = 13

  /// Visits a file and, if it is a directory, everything below it: in the order of the names, a directory before what
  /// is in it.
  ///
  /// `visit` gets each file's inode, or the error that reading it gave, and answers whether to go into it. An error in
  /// a directory's entries goes to `failed`. The walk then leaves the directory and goes on. A directory that was
  /// entered before is not entered again and goes to `failed`. So does one with a path that no system call would take.
  ///
  /// The image is untrusted, so work and memory are bounded. The walk throws `overfull` once it met more names than the
  /// image has room for: a malicious image uses the same blocks for many directories. It holds one block for each
  /// directory on the way to where it is, at most 2048, and the set of the directories it entered. It throws
  /// `memoryLimit` if that set outgrows its bound.
  package func walk(
    from start: Inode,
    visit: (Visit, Result<Inode, EROFSError>) throws(EROFSError) -> Bool,
    failed: (Visit, EROFSError) throws(EROFSError) -> Void
  ) throws(EROFSError) {
    var entered = NodeSet()
    var levels: [Level] = []
    var room = byteCount / Self.smallestName + 1
    var next: Visit? = Visit(
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
            levels.append(Level(cursor: try DirectoryCursor(inode, in: self), visit: visited))
          }
        }
      }
      guard let top = levels.indices.last else { return }
      do throws(EROFSError) {
        next = try levels[top].nextVisit()
        if next == nil { levels.removeLast() } else { room -= 1 }
      } catch {
        next = nil
        try failed(levels.removeLast().visit, error)
      }
      guard room >= 0 else { throw .overfull(.directory) }
    }
  }

  private func inodeResult(_ node: NodeID) -> Result<Inode, EROFSError> {
    do {
      return .success(try inode(node))
    } catch {
      return .failure(error)
    }
  }
}

/// A directory that a walk is in.
private struct Level {
  var cursor: DirectoryCursor
  let visit: EROFSImage.Visit

  /// What the directory's next entry names, `.` and `..` left out. Nil after the last one.
  mutating func nextVisit() throws(EROFSError) -> EROFSImage.Visit? {
    while let entry = try cursor.next() {
      if entry.isDot { continue }
      return EROFSImage.Visit(
        path: visit.path.isEmpty ? entry.name : visit.path + [0x2f] + entry.name,
        depth: visit.depth + 1,
        parent: cursor.directory.node,
        node: entry.node,
        statedType: entry.type)
    }
    return nil
  }
}

/// A set of inode numbers in bounded memory.
///
/// It has a bit for each number, in chunks of 512 that exist once a number of theirs is in.
///
/// The numbers of an image's inodes lie close together, so a chunk of 64 bytes usually stands for many inodes.
struct NodeSet {
  /// The most chunks of a set, which take at most 14 MiB while the dictionary grows. They cover at least 1.5 GiB of
  /// inodes.
  static let chunkLimit = 98_304
  private var chunks: [UInt64: SIMD8<UInt64>] = [:]

  /// Inserts a number. Returns false if it was there before.
  ///
  /// - Throws: `memoryLimit` if the set has as many chunks as it may have.
  mutating func insert(_ node: EROFSImage.NodeID) throws(EROFSError) -> Bool {
    let number = node.rawValue
    let lane = Int(number >> 6 & 7)
    let bit = UInt64(1) << (number & 63)
    var chunk = chunks[number >> 9] ?? .zero
    guard chunk[lane] & bit == 0 else { return false }
    guard chunk != .zero || chunks.count < Self.chunkLimit else { throw .memoryLimit }
    chunk[lane] |= bit
    chunks[number >> 9] = chunk
    return true
  }
}
