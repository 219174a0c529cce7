/// A set of inode numbers in bounded memory: a bit for each number, in chunks of 512 that exist once a number of theirs is in.
///
/// The numbers of an image's inodes lie close together, so a chunk of 64 bytes usually stands for many inodes.
struct ErofsNodeSet {
  /// The most chunks of a set, which take at most 14 MiB while the dictionary grows. They cover at least 1.5 GiB of inodes.
  static let chunkLimit = 98_304
  private var chunks: [UInt64: SIMD8<UInt64>] = [:]

  /// Inserts a number. Returns false if it was there before.
  ///
  /// - Throws: `memoryLimit` if the set has as many chunks as it may have.
  mutating func insert(_ node: ErofsNodeID) throws(ErofsError) -> Bool {
    let number = node.rawValue
    let lane = Int(number >> 6 & 7)
    let bit = UInt64(1) << (number & 63)
    var chunk = chunks[number >> 9] ?? .zero
    guard chunk[lane] & bit == 0 else { return false }
    guard chunk != .zero || chunks.count < Self.chunkLimit else { throw .memoryLimit }
    chunk[lane] |= bit
    chunks[number >> 9] = chunk
    return true
  }
}
