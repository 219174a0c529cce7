extension EROFSImage {
  /// The first facts about an image.
  package struct Superblock: Equatable, Sendable {
    /// The number that a superblock starts with.
    package static let magic: UInt32 = 0xe0f5_e1e2
    /// Where a superblock starts in an image.
    static let offset = 1024
    static let byteCount = 128

    /// The features that a reader must know.
    package let features: Features
    /// Whether the image carries a checksum of its superblock.
    package let hasChecksum: Bool
    /// The inode of the root directory.
    package let root: NodeID
    /// How many inodes the image says it has.
    package let inodes: UInt64
    /// How many blocks the image says it has.
    package let blocks: UInt32
    /// The block where the metadata start, from which inodes are counted.
    package let metadataBlock: UInt32
    /// When the image was made, in seconds since 1970. It is the time of change of every file with a compact inode.
    package let buildTime: UInt64
    package let buildTimeNanoseconds: UInt32
    /// The 16 bytes that identify the volume.
    package let uuid: [UInt8]
    /// The volume's name, without its padding.
    package let volumeName: [UInt8]
  }
}

extension EROFSImage.Superblock {
  private static let checksumFeature: UInt32 = 0x1

  /// Reads the superblock and refuses what this reader does not understand.
  init(from source: some EROFSSource) throws(EROFSError) {
    let end = Self.offset + Self.byteCount
    guard source.byteCount >= end else {
      throw .truncated(needed: UInt64(end), available: source.byteCount)
    }
    let record = EROFSImage.Record(bytes: try source.read(at: Self.offset, count: Self.byteCount), offset: Self.offset)
    let magic = try record.word32(at: 0)
    guard magic == Self.magic else { throw .notEROFS(magic: magic) }
    // The block size comes before the checksum, which covers the rest of the first block.
    let blockBits = try record.byte(at: 12)
    guard blockBits == EROFSImage.blockShift else { throw .unsupportedBlockSize(log2: blockBits) }
    hasChecksum = try record.word32(at: 8) & Self.checksumFeature != 0
    if hasChecksum {
      try Self.check(stored: try record.word32(at: 4), in: source)
    }
    features = EROFSImage.Features(rawValue: try record.word32(at: 80))
    let unsupported = features.subtracting(.supported)
    guard unsupported.isEmpty else { throw .unsupportedFeatures(unsupported.names) }
    let directoryBits = try record.byte(at: 90)
    guard directoryBits == 0 else { throw .unsupportedDirectoryBlockSize(log2: directoryBits) }
    root = EROFSImage.NodeID(UInt64(try record.word16(at: 14)))
    inodes = try record.word64(at: 16)
    buildTime = try record.word64(at: 24)
    buildTimeNanoseconds = try record.word32(at: 32)
    blocks = try record.word32(at: 36)
    metadataBlock = try record.word32(at: 40)
    uuid = try record.bytes(at: 48, count: 16)
    volumeName = Array(try record.bytes(at: 64, count: 16).prefix { $0 != 0 })
    let needed = UInt64(blocks) << UInt64(EROFSImage.blockShift)
    guard UInt64(source.byteCount) >= needed else {
      throw .truncated(needed: needed, available: source.byteCount)
    }
  }

  /// The checksum covers the first block from the superblock on, with its own four bytes taken as zero.
  private static func check(stored: UInt32, in source: some EROFSSource) throws(EROFSError) {
    guard source.byteCount >= EROFSImage.blockSize else {
      throw .truncated(needed: UInt64(EROFSImage.blockSize), available: source.byteCount)
    }
    var covered = try source.read(at: offset, count: EROFSImage.blockSize - offset)
    guard covered.count == EROFSImage.blockSize - offset else {
      throw .unreadable(offset: offset, count: EROFSImage.blockSize - offset)
    }
    covered.replaceSubrange(4..<8, with: [0, 0, 0, 0])
    var checksum = CRC32C()
    checksum.add(covered)
    guard checksum.value == stored else {
      throw .checksumMismatch(stored: stored, computed: checksum.value)
    }
  }
}

extension EROFSImage {
  /// The features that a reader of an image must know.
  ///
  /// The format uses some bits for two features that never matter to the same reader. Their names carry both.
  package struct Features: OptionSet, Hashable, Sendable {
    package let rawValue: UInt32

    package init(rawValue: UInt32) {
      self.rawValue = rawValue
    }

    /// Compressed data are padded in front. Says nothing about files that are not compressed.
    package static let zeroPadding = Features(rawValue: 0x001)
    /// The parameters of the compressors follow the superblock. Says nothing about files that are not compressed.
    package static let compressionConfigurations = Features(rawValue: 0x002)
    /// Files may be made of chunks.
    package static let chunkedFiles = Features(rawValue: 0x004)
    /// Data may be on further devices, or a second compressor is used.
    package static let deviceTable = Features(rawValue: 0x008)
    /// The tail of a compressed file is packed beside its inode.
    package static let compressedTails = Features(rawValue: 0x010)
    /// Pieces of files are packed into one inode, or compressed data are shared.
    package static let fragments = Features(rawValue: 0x020)
    /// Extended attributes' names are shortened by a table of prefixes.
    package static let attributePrefixes = Features(rawValue: 0x040)
    /// Addresses of 48 bits.
    package static let wideAddresses = Features(rawValue: 0x080)
    /// Metadata are held, compressed, in an inode of their own.
    package static let metadataBox = Features(rawValue: 0x100)

    /// What this reader understands, or may ignore because it matters only to what is refused file by file (compressed
    /// data) or skipped (extended attributes).
    package static let supported: Features = [
      .zeroPadding, .compressionConfigurations, .chunkedFiles, .attributePrefixes,
    ]

    /// The format's names of the features in the set, those of unknown bits by number.
    package var names: [String] {
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
}

/// CRC-32C (Castagnoli) as EROFS uses it: it starts with all ones, and is not inverted at the end.
package struct CRC32C {
  package private(set) var value: UInt32 = 0xffff_ffff

  package init() {}

  private static let table: [UInt32] = (0..<256).map { index in
    var remainder = UInt32(index)
    for _ in 0..<8 {
      remainder = remainder & 1 == 1 ? (remainder >> 1) ^ 0x82f6_3b78 : remainder >> 1
    }
    return remainder
  }

  package mutating func add(_ bytes: some Sequence<UInt8>) {
    for byte in bytes {
      value = (value >> 8) ^ Self.table[Int((value ^ UInt32(byte)) & 0xff)]
    }
  }
}
