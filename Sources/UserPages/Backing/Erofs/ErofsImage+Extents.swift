extension ErofsImage {
  /// The extent that holds the page at `index`, from that page on; nil where the file ends before it.
  public func extent(atPage index: Int, of inode: ErofsInode) throws(ErofsError) -> ErofsExtent? {
    guard index >= 0 else { throw .invalidArgument }
    let (start, overflow) = index.multipliedReportingOverflow(by: Self.blockSize)
    guard !overflow, start < inode.size else { return nil }
    let rest = inode.size - start
    switch inode.layout {
    case .none:
      return nil
    case .compressed:
      throw .compressed(inode.node)
    case .blocks(let first):
      return try extent(at: start, count: rest, block: UInt64(first) + UInt64(index))
    case .blocksAndTail(let first, let tail):
      let whole = (inode.size - 1) / Self.blockSize * Self.blockSize
      guard start < whole else {
        return ErofsExtent(fileOffset: start, byteCount: rest, place: .tail(tail))
      }
      return try extent(at: start, count: whole - start, block: UInt64(first) + UInt64(index))
    case .chunks(let table):
      let chunk = index >> table.blocksLog2
      let inChunk = index & ((1 << table.blocksLog2) - 1)
      let count = min(rest, ((1 << table.blocksLog2) - inChunk) << Self.blockShift)
      let block = try self.block(ofChunk: chunk, in: table)
      guard block != ErofsChunkTable.hole else {
        return ErofsExtent(fileOffset: start, byteCount: count, place: .hole)
      }
      return try extent(at: start, count: count, block: UInt64(block) + UInt64(inChunk))
    }
  }

  /// What stands behind the page at `index` of a file: what a mapping of the file shows there.
  public func page(_ index: Int, of inode: ErofsInode) throws(ErofsError) -> ErofsPage {
    guard let extent = try extent(atPage: index, of: inode) else { return .beyondEnd }
    switch extent.place {
    case .block(let block): return .block(block)
    case .hole: return .hole
    case .tail(let offset): return .tail(try record(of: .tail, at: UInt64(offset), count: extent.byteCount).bytes)
    }
  }

  private func extent(at start: Int, count: Int, block: UInt64) throws(ErofsError) -> ErofsExtent {
    // Both addends of the block number are below 2^52, and the shift is checked with the range.
    guard block <= UInt64(UInt32.max) + UInt64(Int32.max) else {
      throw .outsideImage(.data, offset: .max, count: UInt64(count), available: source.byteCount)
    }
    _ = try offset(of: .data, at: block << UInt64(Self.blockShift), count: UInt64(count))
    return ErofsExtent(fileOffset: start, byteCount: count, place: .block(Int(block)))
  }

  private func block(ofChunk chunk: Int, in table: ErofsChunkTable) throws(ErofsError) -> UInt32 {
    guard chunk >= 0, chunk < table.count else { throw .invalidArgument }
    let entry = try record(
      of: .chunkTable, at: UInt64(table.offset) + UInt64(chunk) * UInt64(table.entrySize), count: table.entrySize)
    return try entry.word32(at: table.entrySize - 4)
  }
}
