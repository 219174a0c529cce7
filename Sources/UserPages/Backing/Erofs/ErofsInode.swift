/// What an image says about one file.
///
/// An inode that was read is sound: its data, as far as their place is known without reading a chunk table, lie inside the
/// image.
public struct ErofsInode: Equatable, Sendable {
  public let node: ErofsNodeID
  public let type: ErofsFileType
  /// Permissions, and the bits for set-user-ID, set-group-ID and sticky.
  public let permissions: UInt16
  /// The size of the data in bytes.
  public let size: Int
  /// How many names the file has.
  public let linkCount: UInt32
  public let owner: UInt32
  public let group: UInt32
  /// The number that `stat` shows; unlike `node`, no address.
  public let inodeNumber: UInt32
  /// Seconds since 1970.
  public let modificationTime: UInt64
  public let modificationNanoseconds: UInt32
  /// What a character or block device stands for.
  public let device: ErofsDevice?
  /// Where the data are.
  public let layout: ErofsLayout

  /// How many pages a mapping of the whole file has.
  public var pages: Int {
    size / ErofsImage.blockSize + (size % ErofsImage.blockSize == 0 ? 0 : 1)
  }
}

/// The number of a device.
public struct ErofsDevice: Equatable, Sendable {
  public let major: UInt32
  public let minor: UInt32

  /// Twelve bits of major number between the low eight and the high twelve of the minor one.
  init(encoded: UInt32) {
    major = (encoded >> 8) & 0xfff
    minor = (encoded & 0xff) | ((encoded >> 12) & 0xf_ff00)
  }
}
