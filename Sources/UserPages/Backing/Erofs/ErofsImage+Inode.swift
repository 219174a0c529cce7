extension ErofsImage {
  private static let nodeShift: UInt64 = 5
  private static let compactSize: UInt64 = 32
  private static let extendedSize: UInt64 = 64

  /// Reads an inode and checks it.
  public func inode(_ node: ErofsNodeID) throws(ErofsError) -> ErofsInode {
    let start = try position(of: node)
    let format = try record(of: .inode, at: start, count: 2).word16(at: 0)
    guard format & ~0xf == 0 else { throw .corruptInode(node, .format(format)) }
    let extended = format & 1 != 0
    let size = extended ? Self.extendedSize : Self.compactSize
    let fields = try record(of: .inode, at: start, count: Int(size))
    let mode = try fields.word16(at: 4)
    guard let type = ErofsFileType(mode: mode) else { throw .corruptInode(node, .mode(mode)) }
    let storedSize = extended ? try fields.word64(at: 8) : UInt64(try fields.word32(at: 8))
    guard type.hasData || storedSize == 0, let byteCount = Int(exactly: storedSize) else {
      throw .corruptInode(node, .size(storedSize))
    }
    let dataWord = try fields.word32(at: 16)
    // The data's whereabouts start where the inode and its extended attributes end.
    let attributes = Self.attributeBytes(count: try fields.word16(at: 2))
    let end = start + size + attributes
    _ = try offset(of: .attributes, at: start + size, count: attributes)
    let layout = try self.layout(
      of: node, type: type, number: UInt8(format >> 1), size: byteCount, word: dataWord, end: end)
    let isDevice = type == .characterDevice || type == .blockDevice
    return ErofsInode(
      node: node,
      type: type,
      permissions: mode & 0o7777,
      size: byteCount,
      linkCount: extended ? try fields.word32(at: 44) : UInt32(try fields.word16(at: 6)),
      owner: extended ? try fields.word32(at: 24) : UInt32(try fields.word16(at: 24)),
      group: extended ? try fields.word32(at: 28) : UInt32(try fields.word16(at: 26)),
      inodeNumber: try fields.word32(at: 20),
      modificationTime: extended ? try fields.word64(at: 32) : superblock.buildTime,
      modificationNanoseconds: extended ? try fields.word32(at: 40) : superblock.buildTimeNanoseconds,
      device: isDevice ? ErofsDevice(encoded: dataWord) : nil,
      layout: layout)
  }

  /// Where an inode starts. Leaves room for the inode and its attributes above it, so that adding them cannot overflow.
  private func position(of node: ErofsNodeID) throws(ErofsError) -> UInt64 {
    let metadata = UInt64(superblock.metadataBlock) << UInt64(Self.blockShift)
    let (bytes, shifted) = node.rawValue.multipliedReportingOverflow(by: 1 << Self.nodeShift)
    let (start, added) = metadata.addingReportingOverflow(bytes)
    guard !shifted, !added, start <= UInt64(source.byteCount) else {
      throw .outsideImage(
        .inode, offset: shifted || added ? .max : start, count: Self.compactSize, available: source.byteCount)
    }
    return start
  }

  /// The size of the extended attributes that follow an inode: a header of 12 bytes, then words of 4.
  private static func attributeBytes(count: UInt16) -> UInt64 {
    count == 0 ? 0 : 12 + 4 * (UInt64(count) - 1)
  }
}
