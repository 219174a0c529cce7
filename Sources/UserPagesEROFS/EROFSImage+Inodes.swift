extension EROFSImage {
  private static let nodeShift: UInt64 = 5
  private static let compactSize: UInt64 = 32
  private static let extendedSize: UInt64 = 64

  /// Reads an inode and checks it.
  ///
  /// - Throws: `outsideImage`, `corruptInode`, `unreadable`.
  public func inode(_ node: NodeID) throws(EROFSError) -> Inode {
    let start = try position(of: node)
    let format = try record(of: .inode, at: start, count: 2).word16(at: 0)
    guard format & ~0xf == 0 else { throw .corruptInode(node, .format(format)) }
    let extended = format & 1 != 0
    let size = extended ? Self.extendedSize : Self.compactSize
    let fields = try record(of: .inode, at: start, count: Int(size))
    let mode = try fields.word16(at: 4)
    guard let type = FileType(mode: mode) else { throw .corruptInode(node, .mode(mode)) }
    let storedSize = extended ? try fields.word64(at: 8) : UInt64(try fields.word32(at: 8))
    guard type.hasData || storedSize == 0, let byteCount = Int(exactly: storedSize) else {
      throw .corruptInode(node, .size(storedSize))
    }
    let dataWord = try fields.word32(at: 16)
    // What says where the data are starts behind the inode and its extended attributes.
    let attributes = Self.attributeBytes(count: try fields.word16(at: 2))
    let end = start + size + attributes
    _ = try offset(of: .attributes, at: start + size, count: attributes)
    let layout = try self.layout(
      of: node, type: type, number: UInt8(format >> 1), size: byteCount, word: dataWord, end: end)
    let isDevice = type == .characterDevice || type == .blockDevice
    return Inode(
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
      device: isDevice ? Device(encoded: dataWord) : nil,
      layout: layout)
  }

  /// Where an inode starts. It is inside the image, so adding the sizes of inode and attributes to it cannot overflow.
  private func position(of node: NodeID) throws(EROFSError) -> UInt64 {
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

  /// Reads where an inode's data are, and checks that they lie inside the image.
  func layout(
    of node: NodeID, type: FileType, number: UInt8, size: Int, word: UInt32, end: UInt64
  ) throws(EROFSError) -> Layout {
    guard number <= 4 else { throw .corruptInode(node, .layout(number)) }
    guard type.hasData else { return .none }
    switch number {
    case 0:
      _ = try offset(of: .data, at: Self.byteOffset(ofBlock: word), count: UInt64(size))
      return .blocks(first: word)
    case 2:
      return try tailLayout(of: node, size: size, first: word, end: end)
    case 4:
      return .chunks(try chunkTable(of: node, size: size, word: word, end: end))
    default:
      return .compressed
    }
  }

  static func byteOffset(ofBlock block: UInt32) -> UInt64 {
    UInt64(block) << UInt64(blockShift)
  }

  private func tailLayout(
    of node: NodeID, size: Int, first: UInt32, end: UInt64
  ) throws(EROFSError) -> Layout {
    guard size > 0 else { return .blocksAndTail(first: first, tail: 0) }
    // If the size is a multiple of a block, the last block stands beside the inode all the same.
    let whole = (size - 1) / Self.blockSize * Self.blockSize
    let tailCount = UInt64(size - whole)
    if whole > 0 {
      _ = try offset(of: .data, at: Self.byteOffset(ofBlock: first), count: UInt64(whole))
    }
    let tail = try offset(of: .tail, at: end, count: tailCount)
    guard end % UInt64(Self.blockSize) + tailCount <= UInt64(Self.blockSize) else {
      throw .corruptInode(node, .tailCrossesBlock)
    }
    return .blocksAndTail(first: first, tail: tail)
  }

  private func chunkTable(
    of node: NodeID, size: Int, word: UInt32, end: UInt64
  ) throws(EROFSError) -> ChunkTable {
    let format = UInt16(truncatingIfNeeded: word)
    guard format & ~0x3f == 0 else { throw .corruptInode(node, .chunkFormat(format)) }
    let blocksLog2 = Int(format & 0x1f)
    let isWide = format & 0x20 != 0
    let entrySize: UInt64 = isWide ? 8 : 4
    let chunkShift = UInt64(blocksLog2 + Self.blockShift)
    // The largest chunk has 2^43 bytes, so neither the count nor the table's size can overflow.
    let count = (UInt64(size) >> chunkShift) + (UInt64(size) & ((1 << chunkShift) - 1) == 0 ? 0 : 1)
    let (bytes, overflow) = count.multipliedReportingOverflow(by: entrySize)
    let start = (end + entrySize - 1) / entrySize * entrySize
    guard !overflow else {
      throw .outsideImage(.chunkTable, offset: start, count: .max, available: source.byteCount)
    }
    let offset = try offset(of: .chunkTable, at: start, count: bytes)
    return ChunkTable(blocksLog2: blocksLog2, count: Int(count), offset: offset, isWide: isWide)
  }
}
