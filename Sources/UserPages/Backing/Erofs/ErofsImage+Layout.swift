extension ErofsImage {
  /// Reads where an inode's data are, and checks that they lie inside the image.
  func layout(
    of node: ErofsNodeID, type: ErofsFileType, number: UInt8, size: Int, word: UInt32, end: UInt64
  ) throws(ErofsError) -> ErofsLayout {
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
    of node: ErofsNodeID, size: Int, first: UInt32, end: UInt64
  ) throws(ErofsError) -> ErofsLayout {
    guard size > 0 else { return .blocksAndTail(first: first, tail: 0) }
    // A file whose size is a multiple of a block has its last block beside the inode all the same.
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
    of node: ErofsNodeID, size: Int, word: UInt32, end: UInt64
  ) throws(ErofsError) -> ErofsChunkTable {
    let format = UInt16(truncatingIfNeeded: word)
    guard format & ~0x3f == 0 else { throw .corruptInode(node, .chunkFormat(format)) }
    let blocksLog2 = Int(format & 0x1f)
    let wide = format & 0x20 != 0
    let entrySize: UInt64 = wide ? 8 : 4
    let chunkShift = UInt64(blocksLog2 + Self.blockShift)
    // The largest chunk has 2^43 bytes, so neither the count nor the table's size can overflow.
    let count = (UInt64(size) >> chunkShift) + (UInt64(size) & ((1 << chunkShift) - 1) == 0 ? 0 : 1)
    let (bytes, overflow) = count.multipliedReportingOverflow(by: entrySize)
    let start = (end + entrySize - 1) / entrySize * entrySize
    guard !overflow else {
      throw .outsideImage(.chunkTable, offset: start, count: .max, available: source.byteCount)
    }
    let offset = try offset(of: .chunkTable, at: start, count: bytes)
    return ErofsChunkTable(blocksLog2: blocksLog2, count: Int(count), offset: offset, wide: wide)
  }
}
