/// The first facts about an image.
public struct ErofsSuperblock: Equatable, Sendable {
  /// The number that an image starts with, 1024 bytes after its beginning.
  public static let magic: UInt32 = 0xe0f5_e1e2
  static let offset = 1024
  static let byteCount = 128

  /// The features that a reader must know.
  public let features: ErofsFeatures
  /// Whether the image carries a checksum of its superblock.
  public let hasChecksum: Bool
  /// The inode of the root directory.
  public let root: ErofsNodeID
  /// How many inodes the image says it has.
  public let inodes: UInt64
  /// How many blocks the image says it has.
  public let blocks: UInt32
  /// The block where the metadata start, from which inodes are counted.
  public let metadataBlock: UInt32
  /// Seconds since 1970: when the image was made, and the time of change of every file with a compact inode.
  public let buildTime: UInt64
  public let buildTimeNanoseconds: UInt32
  /// The 16 bytes that tell the volume from others.
  public let uuid: [UInt8]
  /// The volume's name, without its padding.
  public let volumeName: [UInt8]
}
