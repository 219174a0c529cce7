/// An EROFS image: a read-only file system whose files can be mapped where they lie.
///
/// Only what can be mapped in place is read: files that are not compressed, in blocks of the size of a page. Anything else
/// is refused by name. An image is untrusted: every number in it is checked before it is used.
///
///     let image = try ErofsImage(ErofsBytes(bytes))
///     let shell = try image.inode(at: "/bin/sh")
///     switch try image.page(0, of: shell) {
///     case .block(let block): ...       // map the block's frame number
///     case .tail(let bytes): ...        // copy into a page of the page cache
///     case .hole: ...                   // the zero page
///     case .beyondEnd: ...              // SIGBUS
///     }
public struct ErofsImage: Sendable {
  /// The size of a block, which is that of a page.
  public static let blockSize = 4096
  static let blockShift = 12

  public let superblock: ErofsSuperblock
  let source: any ErofsSource

  /// Opens an image: checks its superblock and that its root is a directory.
  public init(_ source: some ErofsSource) throws(ErofsError) {
    superblock = try ErofsSuperblock(from: source)
    self.source = source
    let root = try inode(superblock.root)
    guard root.type == .directory else { throw .wrongType(root.node, root.type) }
  }

  /// How many bytes the image has.
  public var byteCount: Int { source.byteCount }

  /// Checks that a range lies inside the image.
  func offset(of part: ErofsPart, at offset: UInt64, count: UInt64) throws(ErofsError) -> Int {
    let available = source.byteCount
    let (end, overflow) = offset.addingReportingOverflow(count)
    guard !overflow, let end = Int(exactly: end), end <= available else {
      throw .outsideImage(part, offset: offset, count: count, available: available)
    }
    return end - Int(count)
  }

  /// Reads a range of the image, checked.
  func record(of part: ErofsPart, at offset: UInt64, count: Int) throws(ErofsError) -> ErofsRecord {
    guard let unsigned = UInt64(exactly: count) else { throw .invalidArgument }
    let start = try self.offset(of: part, at: offset, count: unsigned)
    let bytes = try source.read(at: start, count: count)
    guard bytes.count == count else { throw .unreadable(offset: start, count: count) }
    return ErofsRecord(bytes: bytes, offset: start)
  }
}
