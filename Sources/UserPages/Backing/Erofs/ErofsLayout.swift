/// Where the data of a file are.
public enum ErofsLayout: Equatable, Sendable {
  /// No data: a device, pipe or socket.
  case none
  /// Consecutive blocks, the last one padded.
  case blocks(first: UInt32)
  /// Consecutive blocks for all but the last page, whose bytes stand beside the inode, at an offset in the image.
  case blocksAndTail(first: UInt32, tail: Int)
  /// Chunks of a power of two of blocks, each where the table says.
  case chunks(ErofsChunkTable)
  /// Compressed data, which this reader refuses to read.
  case compressed
}

/// The table that says where the chunks of a file are.
public struct ErofsChunkTable: Equatable, Sendable {
  /// The block that stands for a chunk that is all zero and takes no space.
  static let hole: UInt32 = 0xffff_ffff

  /// A chunk has two to the power of this many blocks.
  public let blocksLog2: Int
  /// How many entries the table has.
  public let count: Int
  /// Where the table starts in the image.
  let offset: Int
  /// Whether an entry has eight bytes, with the block in the last four, instead of four.
  let wide: Bool

  var entrySize: Int { wide ? 8 : 4 }
}
