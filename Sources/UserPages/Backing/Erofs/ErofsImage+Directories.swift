extension ErofsImage {
  /// The entries of a directory in the order of their names, `.` and `..` among them.
  public func entries(of directory: ErofsInode) throws(ErofsError) -> [ErofsDirectoryEntry] {
    var entries: [ErofsDirectoryEntry] = []
    var cursor = try ErofsDirectoryCursor(directory, in: self)
    while let entry = try cursor.next() { entries.append(entry) }
    return entries
  }

  /// Looks up one name in a directory: halving first the blocks by their first names, then the entries of one block.
  public func lookUp(_ name: [UInt8], in directory: ErofsInode) throws(ErofsError) -> ErofsDirectoryEntry? {
    guard directory.type == .directory else { throw .wrongType(directory.node, directory.type) }
    var low = 0
    var high = directory.pages
    // The last block whose first name does not come after `name` is the only one that can hold it.
    var candidate: ErofsDirectoryBlock?
    while low < high {
      let middle = low + (high - low) / 2
      let block = try directoryBlock(middle, of: directory)
      if name.lexicographicallyPrecedes(try block.name(at: 0)) {
        high = middle
      } else {
        candidate = block
        low = middle + 1
      }
    }
    return try candidate?.find(name)
  }

  /// One block of a directory.
  func directoryBlock(_ index: Int, of directory: ErofsInode) throws(ErofsError) -> ErofsDirectoryBlock {
    let bytes = try read(directory, at: index * Self.blockSize, count: Self.blockSize)
    let record = ErofsRecord(bytes: bytes, offset: index * Self.blockSize)
    return try ErofsDirectoryBlock(record, of: directory.node, index: index)
  }
}
