/// The features that an image says a reader must know.
///
/// The format reuses some bits for two features that never matter to the same reader; their names carry both.
public struct ErofsFeatures: OptionSet, Hashable, Sendable {
  public let rawValue: UInt32

  public init(rawValue: UInt32) {
    self.rawValue = rawValue
  }

  /// Compressed data are padded in front. Says nothing about files that are not compressed.
  public static let zeroPadding = ErofsFeatures(rawValue: 0x001)
  /// The parameters of the compressors follow the superblock. Says nothing about files that are not compressed.
  public static let compressionConfigurations = ErofsFeatures(rawValue: 0x002)
  /// Files may be made of chunks.
  public static let chunkedFiles = ErofsFeatures(rawValue: 0x004)
  /// Data may be on further devices; or a second compressor is used.
  public static let deviceTable = ErofsFeatures(rawValue: 0x008)
  /// The tail of a compressed file is packed beside its inode.
  public static let compressedTails = ErofsFeatures(rawValue: 0x010)
  /// Pieces of files are packed into one inode; or compressed data are shared.
  public static let fragments = ErofsFeatures(rawValue: 0x020)
  /// Extended attributes' names are shortened by a table of prefixes.
  public static let attributePrefixes = ErofsFeatures(rawValue: 0x040)
  /// Addresses of 48 bits.
  public static let wideAddresses = ErofsFeatures(rawValue: 0x080)
  /// Metadata are held, compressed, in an inode of their own.
  public static let metadataBox = ErofsFeatures(rawValue: 0x100)

  /// What this reader understands, or may ignore because it matters only to what is refused file by file (compressed
  /// data) or skipped (extended attributes).
  public static let supported: ErofsFeatures = [
    .zeroPadding, .compressionConfigurations, .chunkedFiles, .attributePrefixes,
  ]

  /// The format's names of the features in the set, those of unknown bits by number.
  public var names: [String] {
    (0..<32).compactMap { bit in
      let mask = UInt32(1) << UInt32(bit)
      guard rawValue & mask != 0 else { return nil }
      return Self.nameOfBit[mask] ?? "unknown (0x\(String(mask, radix: 16)))"
    }
  }

  private static let nameOfBit: [UInt32: String] = [
    0x001: "zero_padding",
    0x002: "compr_cfgs/big_pcluster",
    0x004: "chunked_file",
    0x008: "device_table/compr_head2",
    0x010: "ztailpacking",
    0x020: "fragments/dedupe",
    0x040: "xattr_prefixes",
    0x080: "48bit",
    0x100: "metabox",
  ]
}
