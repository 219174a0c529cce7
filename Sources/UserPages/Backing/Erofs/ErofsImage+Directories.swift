extension ErofsImage {
  /// The entries of a directory in the order of their names, `.` and `..` among them.
  public func entries(of directory: ErofsInode) throws(ErofsError) -> [ErofsDirectoryEntry] {
    var entries: [ErofsDirectoryEntry] = []
    try forEachEntry(of: directory) { (entry) throws(ErofsError) in entries.append(entry) }
    return entries
  }

  /// Calls `body` with each entry of a directory, in the order of their names.
  ///
  /// Names that are not in strictly ascending order are refused. That also bounds the work: blocks that a malicious image
  /// uses twice end the listing.
  public func forEachEntry(
    of directory: ErofsInode, _ body: (ErofsDirectoryEntry) throws(ErofsError) -> Void
  ) throws(ErofsError) {
    guard directory.type == .directory else { throw .wrongType(directory.node, directory.type) }
    var previous: [UInt8] = []
    for index in 0..<directory.pages {
      let block = try block(index, of: directory)
      for position in 0..<block.count {
        let entry = try block.entry(at: position)
        guard previous.lexicographicallyPrecedes(entry.name) else {
          throw .corruptDirectory(directory.node, block: index, .order)
        }
        previous = entry.name
        try body(entry)
      }
    }
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
      let block = try block(middle, of: directory)
      if name.lexicographicallyPrecedes(try block.name(at: 0)) {
        high = middle
      } else {
        candidate = block
        low = middle + 1
      }
    }
    return try candidate?.find(name)
  }

  private func block(_ index: Int, of directory: ErofsInode) throws(ErofsError) -> ErofsDirectoryBlock {
    let bytes = try read(directory, at: index * Self.blockSize, count: Self.blockSize)
    let record = ErofsRecord(bytes: bytes, offset: index * Self.blockSize)
    return try ErofsDirectoryBlock(record, of: directory.node, index: index)
  }
}
