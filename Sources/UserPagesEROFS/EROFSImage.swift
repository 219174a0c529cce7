/// An EROFS image: a read-only file system with files that can be mapped where they lie.
///
/// The reader takes what can be mapped in place: files that are not compressed, in blocks of the size of a page. It
/// refuses everything else by name. An image is untrusted, so the reader checks every number in it before it uses the
/// number.
///
///     let image = try EROFSImage(path: "system.erofs")
///     let shell = try image.inode(at: "/bin/sh")
///     let start = try image.read(shell, at: 0, count: 64)
///
/// To map files into an address space, mount the image: see ``EROFSVolume``.
public struct EROFSImage: Sendable {
  /// The size of a block, which is that of a page.
  package static let blockSize = 4096
  static let blockShift = 12

  package let superblock: Superblock
  let source: any EROFSSource

  /// Opens the image in a regular file or on a block device, which is read and not mapped.
  ///
  /// If the file is truncated later, reads throw `EROFSError.unreadable`.
  ///
  /// - Throws: `cannotOpen`, `notAFile`, and what is wrong with the superblock or the root directory.
  public init(path: String) throws(EROFSError) {
    try self.init(EROFSFileSource(path: path))
  }

  /// Opens an image that is held in memory.
  ///
  /// - Throws: what is wrong with the superblock or the root directory.
  package init(bytes: [UInt8]) throws(EROFSError) {
    try self.init(EROFSBytes(bytes))
  }

  /// Opens the image that `source` has the bytes of: checks its superblock, and that its root is a directory.
  package init(_ source: some EROFSSource) throws(EROFSError) {
    superblock = try Superblock(from: source)
    self.source = source
    let root = try inode(superblock.root)
    guard root.type == .directory else { throw .wrongType(root.node, root.type) }
  }

  /// The length of the image in bytes.
  package var byteCount: Int { source.byteCount }

  /// Checks that a range lies inside the image, and returns its start.
  func offset(of part: EROFSError.Part, at offset: UInt64, count: UInt64) throws(EROFSError) -> Int {
    let available = source.byteCount
    let (end, overflow) = offset.addingReportingOverflow(count)
    guard !overflow, let end = Int(exactly: end), end <= available else {
      throw .outsideImage(part, offset: offset, count: count, available: available)
    }
    return end - Int(count)
  }

  /// Reads a range of the image, checked.
  func record(of part: EROFSError.Part, at offset: UInt64, count: Int) throws(EROFSError) -> Record {
    guard let unsigned = UInt64(exactly: count) else { throw .invalidArgument }
    let start = try self.offset(of: part, at: offset, count: unsigned)
    let bytes = try source.read(at: start, count: count)
    guard bytes.count == count else { throw .unreadable(offset: start, count: count) }
    return Record(bytes: bytes, offset: start)
  }

  /// Bytes of an image from which little-endian numbers are read, each access checked.
  struct Record {
    let bytes: [UInt8]
    /// Where the bytes start in the image, for messages.
    let offset: Int

    func byte(at position: Int) throws(EROFSError) -> UInt8 {
      guard position >= 0, position < bytes.count else {
        throw .unreadable(offset: offset, count: bytes.count)
      }
      return bytes[position]
    }

    func bytes(at position: Int, count: Int) throws(EROFSError) -> [UInt8] {
      guard position >= 0, count >= 0, position <= bytes.count, count <= bytes.count - position else {
        throw .unreadable(offset: offset, count: bytes.count)
      }
      return Array(bytes[position..<position + count])
    }

    func word16(at position: Int) throws(EROFSError) -> UInt16 {
      UInt16(truncatingIfNeeded: try number(at: position, bytes: 2))
    }

    func word32(at position: Int) throws(EROFSError) -> UInt32 {
      UInt32(truncatingIfNeeded: try number(at: position, bytes: 4))
    }

    func word64(at position: Int) throws(EROFSError) -> UInt64 {
      try number(at: position, bytes: 8)
    }

    private func number(at position: Int, bytes count: Int) throws(EROFSError) -> UInt64 {
      guard position >= 0, position <= bytes.count - count else {
        throw .unreadable(offset: offset, count: bytes.count)
      }
      var value: UInt64 = 0
      for index in 0..<count {
        value |= UInt64(bytes[position + index]) << UInt64(8 * index)
      }
      return value
    }
  }
}
