extension EROFSImage {
  /// A part of a file that is contiguous in the image, or takes no space there.
  package struct Extent: Equatable, Sendable {
    /// Where the bytes of an extent are.
    package enum Place: Equatable, Sendable {
      /// From the beginning of this block of the image on, in whole blocks except at the file's end.
      case block(Int)
      /// At this offset in the image, beside the inode.
      case tail(Int)
      /// Nowhere: they are zeroes.
      case hole
    }

    /// Where the extent starts in the file: a multiple of the block size.
    package let fileOffset: Int
    /// How many of the file's bytes it has: never zero.
    package let byteCount: Int
    package let place: Place
  }

  /// What stands behind one page of a file.
  package enum Page: Equatable, Sendable {
    /// A whole block of the image, which can be mapped where it lies. Past the end of the file it has whatever the
    /// image has there. `mkfs.erofs` writes zeroes.
    case block(Int)
    /// The file's last bytes, fewer than a page. They do not start on a page in the image, so they must be copied.
    case tail([UInt8])
    /// A page of zeroes that takes no space in the image.
    case hole
    /// No page: the file ends before it.
    case beyondEnd
  }

  /// The extent that holds the page at `index`, from that page on. Nil if the file ends before it.
  package func extent(atPage index: Int, of inode: Inode) throws(EROFSError) -> Extent? {
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
        return Extent(fileOffset: start, byteCount: rest, place: .tail(tail))
      }
      return try extent(at: start, count: whole - start, block: UInt64(first) + UInt64(index))
    case .chunks(let table):
      let chunk = index >> table.blocksLog2
      let inChunk = index & ((1 << table.blocksLog2) - 1)
      let count = min(rest, ((1 << table.blocksLog2) - inChunk) << Self.blockShift)
      let block = try self.block(ofChunk: chunk, in: table)
      guard block != ChunkTable.hole else {
        return Extent(fileOffset: start, byteCount: count, place: .hole)
      }
      return try extent(at: start, count: count, block: UInt64(block) + UInt64(inChunk))
    }
  }

  /// What stands behind the page at `index` of a file: what a mapping of the file shows there.
  package func page(_ index: Int, of inode: Inode) throws(EROFSError) -> Page {
    guard let extent = try extent(atPage: index, of: inode) else { return .beyondEnd }
    switch extent.place {
    case .block(let block): return .block(block)
    case .hole: return .hole
    case .tail(let offset): return .tail(try record(of: .tail, at: UInt64(offset), count: extent.byteCount).bytes)
    }
  }

  private func extent(at start: Int, count: Int, block: UInt64) throws(EROFSError) -> Extent {
    // Both addends of the block number are below 2^52, and the shift is checked with the range.
    guard block <= UInt64(UInt32.max) + UInt64(Int32.max) else {
      throw .outsideImage(.data, offset: .max, count: UInt64(count), available: source.byteCount)
    }
    _ = try offset(of: .data, at: block << UInt64(Self.blockShift), count: UInt64(count))
    return Extent(fileOffset: start, byteCount: count, place: .block(Int(block)))
  }

  private func block(ofChunk chunk: Int, in table: ChunkTable) throws(EROFSError) -> UInt32 {
    guard chunk >= 0, chunk < table.count else { throw .invalidArgument }
    let entry = try record(
      of: .chunkTable, at: UInt64(table.offset) + UInt64(chunk) * UInt64(table.entrySize), count: table.entrySize)
    return try entry.word32(at: table.entrySize - 4)
  }

  /// The most bytes that one read returns, as for `read(2)`.
  package static let maximumRead = 0x7fff_f000

  /// Reads a file's bytes: fewer than asked if the file ends before, none at and after its end.
  ///
  /// - Throws:
  ///   - `compressed`, `outsideImage` or `unreadable`.
  ///   - `invalidArgument` for a negative offset or count.
  public func read(_ inode: Inode, at offset: Int, count: Int) throws(EROFSError) -> [UInt8] {
    guard offset >= 0, count >= 0 else { throw .invalidArgument }
    guard inode.layout != .compressed else { throw .compressed(inode.node) }
    guard offset < inode.size else { return [] }
    let wanted = min(count, inode.size - offset, Self.maximumRead)
    var bytes: [UInt8] = []
    bytes.reserveCapacity(min(wanted, byteCount))
    while bytes.count < wanted {
      let position = offset + bytes.count
      guard let extent = try extent(atPage: position / Self.blockSize, of: inode) else { break }
      let skipped = position - extent.fileOffset
      let taken = min(extent.byteCount - skipped, wanted - bytes.count)
      switch extent.place {
      case .hole:
        bytes.append(contentsOf: repeatElement(0, count: taken))
      case .block(let block):
        bytes += try record(of: .data, at: UInt64(block * Self.blockSize + skipped), count: taken).bytes
      case .tail(let tail):
        bytes += try record(of: .tail, at: UInt64(tail + skipped), count: taken).bytes
      }
    }
    return bytes
  }

  /// All bytes of a file that has at most `limit` of them. A small image can describe a large file, so choose the
  /// limit.
  ///
  /// - Throws: `tooLarge`, and what `read` throws.
  package func contents(of inode: Inode, limit: Int = maximumRead) throws(EROFSError) -> [UInt8] {
    guard inode.size <= min(limit, Self.maximumRead) else { throw .tooLarge(inode.node, size: inode.size) }
    return try read(inode, at: 0, count: inode.size)
  }

  /// The target of a symbolic link.
  ///
  /// - Throws: `wrongType`, `corruptLink`, and what `read` throws.
  public func target(of inode: Inode) throws(EROFSError) -> [UInt8] {
    guard inode.type == .symbolicLink else { throw .wrongType(inode.node, inode.type) }
    guard inode.size > 0, inode.size < Self.blockSize else { throw .corruptLink(inode.node, size: inode.size) }
    let target = try read(inode, at: 0, count: inode.size)
    guard !target.contains(0) else { throw .corruptLink(inode.node, size: inode.size) }
    return target
  }
}
