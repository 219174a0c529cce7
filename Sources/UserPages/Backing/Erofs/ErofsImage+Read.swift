extension ErofsImage {
  /// The most bytes that one read gives, as for `read(2)`.
  public static let maximumRead = 0x7fff_f000

  /// Reads a file's bytes: fewer than asked where the file ends, none at and after its end.
  public func read(_ inode: ErofsInode, at offset: Int, count: Int) throws(ErofsError) -> [UInt8] {
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

  /// All bytes of a file that has at most `limit` of them.
  public func contents(of inode: ErofsInode, limit: Int = maximumRead) throws(ErofsError) -> [UInt8] {
    guard inode.size <= min(limit, Self.maximumRead) else { throw .tooLarge(inode.node, size: inode.size) }
    return try read(inode, at: 0, count: inode.size)
  }

  /// The target of a symbolic link.
  public func target(of inode: ErofsInode) throws(ErofsError) -> [UInt8] {
    guard inode.type == .symbolicLink else { throw .wrongType(inode.node, inode.type) }
    guard inode.size > 0, inode.size < Self.blockSize else { throw .corruptLink(inode.node, size: inode.size) }
    let target = try read(inode, at: 0, count: inode.size)
    guard !target.contains(0) else { throw .corruptLink(inode.node, size: inode.size) }
    return target
  }
}
