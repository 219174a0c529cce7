import TestSupport
import UserPagesEROFS

/// Compares an image, file by file, with a directory that it should show.
struct TreeComparison {
  /// What is compared besides names, types, sizes, link targets and bytes.
  struct Details: OptionSet {
    let rawValue: Int
    static let owners = Details(rawValue: 1)
    static let times = Details(rawValue: 2)
    static let all: Details = [.owners, .times]
  }

  let image: EROFSImage
  let details: Details
  private(set) var files = 0
  private(set) var bytes = 0
  /// What differs, as text; empty where the two are the same.
  private(set) var differences: [String] = []

  init(of image: EROFSImage, with directory: String, details: Details = .all) throws {
    self.image = image
    self.details = details
    try compare(try image.inode(image.superblock.root), with: Array(directory.utf8))
  }

  private mutating func compare(_ inode: EROFSImage.Inode, with path: [UInt8]) throws {
    files += 1
    guard let file = SourceFile(path) else { return differ(path, "is not in the directory") }
    compareStatus(of: inode, with: file, at: path)
    switch inode.type {
    case .directory: try compareEntries(of: inode, at: path)
    case .symbolicLink:
      if SourceFile.target(of: path) != (try image.target(of: inode)) { differ(path, "target") }
    case .regular: try compareBytes(of: inode, at: path)
    case .characterDevice, .blockDevice:
      let device = inode.device.map { UInt64($0.major) << 8 | UInt64($0.minor & 0xff) | UInt64($0.minor >> 8) << 20 }
      if device != file.device { differ(path, "device") }
    case .pipe, .socket: break
    }
  }

  private mutating func compareStatus(of inode: EROFSImage.Inode, with file: SourceFile, at path: [UInt8]) {
    if EROFSImage.FileType(mode: UInt16(truncatingIfNeeded: file.mode)) != inode.type { differ(path, "type") }
    if UInt16(file.mode & 0o7777) != inode.permissions { differ(path, "permissions") }
    if inode.type != .directory {
      if inode.type.hasData, file.size != inode.size { differ(path, "size \(file.size), not \(inode.size)") }
      if file.links != inode.linkCount { differ(path, "links \(file.links), not \(inode.linkCount)") }
    }
    if details.contains(.owners), file.owner != inode.owner || file.group != inode.group { differ(path, "owner") }
    if details.contains(.times), file.seconds != Int(inode.modificationTime) { differ(path, "time") }
  }

  private mutating func compareEntries(of directory: EROFSImage.Inode, at path: [UInt8]) throws {
    let entries = try image.entries(of: directory)
    let names = entries.filter { !$0.isDot }.map(\.name)
    let expected = SourceFile.names(in: path).sorted { $0.lexicographicallyPrecedes($1) }
    if names != expected { differ(path, "names") }
    for entry in entries where !entry.isDot {
      let child = try image.inode(entry.node)
      if entry.type != child.type { differ(path, "stated type of \(entry.text)") }
      if try image.lookUp(entry.name, in: directory) != entry { differ(path, "look-up of \(entry.text)") }
      try compare(child, with: path + [0x2f] + entry.name)
    }
  }

  private mutating func compareBytes(of file: EROFSImage.Inode, at path: [UInt8]) throws {
    bytes += file.size
    guard let expected = SourceFile.contents(of: path) else { return differ(path, "unreadable") }
    if !haveSameBytes(try image.contents(of: file, limit: .max), expected) { differ(path, "bytes") }
  }

  private mutating func differ(_ path: [UInt8], _ what: String) {
    differences.append("\(String(decoding: path, as: UTF8.self)): \(what)")
  }
}
