/// A place in a directory, from which its entries are read one after another. It holds one block at a time.
struct ErofsDirectoryCursor {
  private let image: ErofsImage
  let directory: ErofsInode
  private var block: ErofsDirectoryBlock?
  private var nextBlock = 0
  private var position = 0
  private var previous: [UInt8] = []

  /// - Throws: `wrongType` if `directory` is another type of file.
  init(_ directory: ErofsInode, in image: ErofsImage) throws(ErofsError) {
    guard directory.type == .directory else { throw .wrongType(directory.node, directory.type) }
    self.image = image
    self.directory = directory
  }

  /// The next entry; nil after the last one.
  ///
  /// - Throws: `corruptDirectory` if the names are not in strictly ascending order. That also bounds the work: a listing ends
  ///   where a malicious image uses a block twice.
  mutating func next() throws(ErofsError) -> ErofsDirectoryEntry? {
    if block == nil || position == block?.count {
      guard nextBlock < directory.pages else { return nil }
      block = try image.directoryBlock(nextBlock, of: directory)
      nextBlock += 1
      position = 0
    }
    guard let entry = try block?.entry(at: position) else { return nil }
    position += 1
    guard previous.lexicographicallyPrecedes(entry.name) else {
      throw .corruptDirectory(directory.node, block: nextBlock - 1, .order)
    }
    previous = entry.name
    return entry
  }
}
