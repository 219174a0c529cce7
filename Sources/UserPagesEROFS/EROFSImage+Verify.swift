extension EROFSImage {
  /// What a verification of an image found.
  package struct Report: Sendable {
    /// A defect, and where it is.
    package struct Problem: Sendable {
      /// The path below the start of the verification.
      package let path: [UInt8]
      /// What is wrong.
      package let error: EROFSError

      /// The path as text, with what is not UTF-8 replaced.
      package var text: String { String(decoding: path, as: UTF8.self) }
    }

    /// At most this many problems are kept. The others are only counted.
    static let keptProblems = 100

    /// Files of each type, by their inodes: a file with many names counts once.
    package internal(set) var files: [FileType: Int] = [:]
    /// Names, including that of the start.
    package internal(set) var names = 0
    /// Bytes of regular files.
    package internal(set) var bytes = 0
    /// Pages that can be mapped where they lie in the image.
    package internal(set) var blocks = 0
    /// Pages that must be copied, because they are packed beside their inodes.
    package internal(set) var tails = 0
    /// Pages that take no space.
    package internal(set) var holes = 0
    /// The first 100 problems that were found.
    package private(set) var problems: [Problem] = []
    /// How many problems were found.
    package private(set) var problemCount = 0

    mutating func add(_ error: EROFSError, at path: [UInt8]) {
      problemCount += 1
      if problems.count < Self.keptProblems {
        problems.append(Problem(path: path, error: error))
      }
    }
  }

  /// Checks a file and, if it is a directory, everything below it.
  ///
  /// Every inode can be read, every byte lies in the image, and links have targets. Directories are sorted and name
  /// themselves and their parents, and entries state their files' types. From the root, every file has as many names as
  /// its link count says.
  ///
  /// Compressed files are reported, since nothing of them can be read. Nothing is thrown: what is wrong is in the
  /// report.
  ///
  /// Takes at most 64 MiB of memory beside the image, whatever the image says.
  package func verify(from start: Inode) -> Report {
    var report = Report()
    // Every extent but a file's tail and its first block takes an entry of four bytes in a chunk table.
    var room = byteCount / 4 + 1
    var names = NameCounts()
    do throws(EROFSError) {
      try walk(from: start) { (visit, result) throws(EROFSError) in
        report.names += 1
        switch result {
        case .failure(let error):
          report.add(error, at: visit.path)
          return false
        case .success(let inode):
          if let stated = visit.statedType, stated != inode.type {
            report.add(.corruptInode(inode.node, .typeMismatch(stated)), at: visit.path)
          }
          if inode.type != .directory {
            guard try names.add(inode) else { return false }
          }
          check(inode, at: visit, room: &room, into: &report)
          guard room >= 0 else { throw .overfull(.chunkTable) }
          return true
        }
      } failed: { (visit, error) throws(EROFSError) in
        report.add(error, at: visit.path)
      }
      if start.node == superblock.root { try checkLinkCounts(names, from: start, into: &report) }
    } catch {
      report.add(error, at: [])
    }
    return report
  }

  /// Reports the files that do not have as many names as they say.
  ///
  /// A second walk finds their paths: to keep every file's path during the first one would take memory without a bound.
  private func checkLinkCounts(
    _ names: NameCounts, from start: Inode, into report: inout Report
  ) throws(EROFSError) {
    var wrong = names.excess
    guard !wrong.isEmpty else { return }
    try walk(from: start) { (visit, result) throws(EROFSError) in
      guard case .success(let inode) = result else { return false }
      if inode.type != .directory, let excess = wrong.removeValue(forKey: inode.node) {
        let found = UInt32(clamping: Int64(inode.linkCount) + excess)
        report.add(.corruptInode(inode.node, .linkCount(stored: inode.linkCount, found: found)), at: visit.path)
      }
      return !wrong.isEmpty
    } failed: { (_, _) throws(EROFSError) in
      // The first walk has reported it.
    }
  }

  private func check(_ inode: Inode, at visit: Visit, room: inout Int, into report: inout Report) {
    report.files[inode.type, default: 0] += 1
    do throws(EROFSError) {
      switch inode.type {
      case .directory: try checkDots(of: inode, parent: visit.parent)
      case .symbolicLink: _ = try target(of: inode)
      case .regular: try checkExtents(of: inode, room: &room, into: &report)
      case .characterDevice, .blockDevice, .pipe, .socket: break
      }
    } catch {
      report.add(error, at: visit.path)
    }
  }

  private func checkDots(of directory: Inode, parent: NodeID) throws(EROFSError) {
    guard try lookUp([0x2e], in: directory)?.node == directory.node else {
      throw .corruptDirectory(directory.node, block: 0, .selfEntry)
    }
    let up = try lookUp([0x2e, 0x2e], in: directory)
    // Where the walk began, the parent is not known, except that the root is its own.
    let isKnown = directory.node != parent || directory.node == superblock.root
    guard let up, !isKnown || up.node == parent else {
      throw .corruptDirectory(directory.node, block: 0, .parentEntry)
    }
  }

  private func checkExtents(
    of file: Inode, room: inout Int, into report: inout Report
  ) throws(EROFSError) {
    if case .chunks(let table) = file.layout {
      room -= table.count
      guard room >= 0 else { return }
    }
    var page = 0
    while let extent = try extent(atPage: page, of: file) {
      let pages = extent.byteCount / Self.blockSize + (extent.byteCount % Self.blockSize == 0 ? 0 : 1)
      switch extent.place {
      case .block: report.blocks += pages
      case .tail: report.tails += pages
      case .hole: report.holes &+= pages
      }
      page += pages
    }
    // Holes make sizes that add up to more than an integer holds.
    report.bytes = report.bytes.addingReportingOverflow(file.size).overflow ? .max : report.bytes + file.size
  }
}

/// How many names files have, compared with their link counts, in bounded memory.
private struct NameCounts {
  /// The most files that may wait for another name at a time. Their dictionary takes at most 13 MiB while it grows.
  private static let limit = 393_216
  private var seen = NodeSet()
  /// How many names were found beyond the link count. Files for which it is zero are left out.
  private(set) var excess: [EROFSImage.NodeID: Int64] = [:]

  /// Counts one name of a file. Returns whether it is the first one.
  ///
  /// - Throws: `memoryLimit`.
  mutating func add(_ inode: EROFSImage.Inode) throws(EROFSError) -> Bool {
    let isFirst = try seen.insert(inode.node)
    let before = isFirst ? -Int64(inode.linkCount) : excess[inode.node] ?? 0
    excess[inode.node] = before + 1 == 0 ? nil : before + 1
    guard excess.count <= Self.limit else { throw .memoryLimit }
    return isFirst
  }
}
