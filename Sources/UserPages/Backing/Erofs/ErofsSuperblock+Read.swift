extension ErofsSuperblock {
  private static let checksumFeature: UInt32 = 0x1

  /// Reads the superblock and refuses what this reader does not understand.
  init(from source: some ErofsSource) throws(ErofsError) {
    let end = Self.offset + Self.byteCount
    guard source.byteCount >= end else {
      throw .truncated(needed: UInt64(end), available: source.byteCount)
    }
    let record = ErofsRecord(bytes: try source.read(at: Self.offset, count: Self.byteCount), offset: Self.offset)
    let magic = try record.word32(at: 0)
    guard magic == Self.magic else { throw .notErofs(magic: magic) }
    // The block size comes before the checksum, which covers the rest of the first block.
    let blockBits = try record.byte(at: 12)
    guard blockBits == ErofsImage.blockShift else { throw .unsupportedBlockSize(log2: blockBits) }
    hasChecksum = try record.word32(at: 8) & Self.checksumFeature != 0
    if hasChecksum {
      try Self.check(stored: try record.word32(at: 4), in: source)
    }
    features = ErofsFeatures(rawValue: try record.word32(at: 80))
    let unsupported = features.subtracting(.supported)
    guard unsupported.isEmpty else { throw .unsupportedFeatures(unsupported.names) }
    let directoryBits = try record.byte(at: 90)
    guard directoryBits == 0 else { throw .unsupportedDirectoryBlockSize(log2: directoryBits) }
    root = ErofsNodeID(UInt64(try record.word16(at: 14)))
    inodes = try record.word64(at: 16)
    buildTime = try record.word64(at: 24)
    buildTimeNanoseconds = try record.word32(at: 32)
    blocks = try record.word32(at: 36)
    metadataBlock = try record.word32(at: 40)
    uuid = try record.bytes(at: 48, count: 16)
    volumeName = Array(try record.bytes(at: 64, count: 16).prefix { $0 != 0 })
    let needed = UInt64(blocks) << UInt64(ErofsImage.blockShift)
    guard UInt64(source.byteCount) >= needed else {
      throw .truncated(needed: needed, available: source.byteCount)
    }
  }

  /// The checksum covers the first block from the superblock on, with its own four bytes taken as zero.
  private static func check(stored: UInt32, in source: some ErofsSource) throws(ErofsError) {
    guard source.byteCount >= ErofsImage.blockSize else {
      throw .truncated(needed: UInt64(ErofsImage.blockSize), available: source.byteCount)
    }
    var covered = try source.read(at: offset, count: ErofsImage.blockSize - offset)
    guard covered.count == ErofsImage.blockSize - offset else {
      throw .unreadable(offset: offset, count: ErofsImage.blockSize - offset)
    }
    covered.replaceSubrange(4..<8, with: [0, 0, 0, 0])
    var checksum = CRC32C()
    checksum.add(covered)
    guard checksum.value == stored else {
      throw .checksumMismatch(stored: stored, computed: checksum.value)
    }
  }
}
