extension EROFSImage {
  /// One name in a directory.
  public struct DirectoryEntry: Equatable, Sendable {
    /// The name's bytes, which need not be text.
    public let name: [UInt8]
    /// The inode that it names.
    public let node: NodeID
    /// The type that the directory states. Nil if it states none that is known. The inode has the last word.
    public let type: FileType?

    /// The name as text, with what is not UTF-8 replaced.
    public var text: String { String(decoding: name, as: UTF8.self) }

    /// Whether this is the entry of the directory itself or of its parent.
    package var isDot: Bool { name == [0x2e] || name == [0x2e, 0x2e] }
  }

  /// The entries of a directory in the order of their names, `.` and `..` among them.
  ///
  /// - Throws: `wrongType`, `corruptDirectory`, and what `read` throws.
  public func entries(of directory: Inode) throws(EROFSError) -> [DirectoryEntry] {
    var entries: [DirectoryEntry] = []
    var cursor = try DirectoryCursor(directory, in: self)
    while let entry = try cursor.next() { entries.append(entry) }
    return entries
  }

  /// Looks up one name in a directory, by a binary search of the blocks by their first names, then of one block's
  /// entries.
  package func lookUp(_ name: [UInt8], in directory: Inode) throws(EROFSError) -> DirectoryEntry? {
    guard directory.type == .directory else { throw .wrongType(directory.node, directory.type) }
    // Of the blocks with a first name that does not come after `name`, the last one is the only one that can hold it.
    var candidate: DirectoryBlock?
    _ = try (0..<directory.pages).partitioningIndex { (index) throws(EROFSError) in
      let block = try directoryBlock(index, of: directory)
      let isBehind = name.lexicographicallyPrecedes(try block.name(at: 0))
      // The last block that is not behind is the last one that the search stores here.
      if !isBehind { candidate = block }
      return isBehind
    }
    return try candidate?.find(name)
  }

  /// One block of a directory.
  func directoryBlock(_ index: Int, of directory: EROFSImage.Inode) throws(EROFSError) -> DirectoryBlock {
    let bytes = try read(directory, at: index * Self.blockSize, count: Self.blockSize)
    let record = EROFSImage.Record(bytes: bytes, offset: index * Self.blockSize)
    return try DirectoryBlock(record, of: directory.node, index: index)
  }
}

/// One block of a directory: entries of 12 bytes, sorted by name, then the names in the same order.
struct DirectoryBlock {
  private static let entrySize = 12
  static let maximumName = 255

  private let record: EROFSImage.Record
  private let directory: EROFSImage.NodeID
  private let index: Int
  /// How many entries the block has: at least one.
  let count: Int

  init(_ record: EROFSImage.Record, of directory: EROFSImage.NodeID, index: Int) throws(EROFSError) {
    guard record.bytes.count >= Self.entrySize else {
      throw .corruptDirectory(directory, block: index, .tooShort)
    }
    // The format has no count of the entries: the first name starts where they end.
    let firstName = Int(try record.word16(at: 8))
    guard firstName >= Self.entrySize, firstName % Self.entrySize == 0, firstName < record.bytes.count else {
      throw .corruptDirectory(directory, block: index, .firstName)
    }
    self.record = record
    self.directory = directory
    self.index = index
    count = firstName / Self.entrySize
  }

  /// The name of the entry at `position`, which is below `count`.
  func name(at position: Int) throws(EROFSError) -> [UInt8] {
    let size = record.bytes.count
    let start = Int(try record.word16(at: position * Self.entrySize + 8))
    let isLast = position + 1 == count
    let end = isLast ? size : Int(try record.word16(at: (position + 1) * Self.entrySize + 8))
    guard start >= count * Self.entrySize, start < end, end <= size else {
      throw defect(start == end ? .nameLength : .nameOffset)
    }
    // The last name ends at the block's end, or before it at a NUL.
    let limit = min(end - start, Self.maximumName + 1)
    var name = try record.bytes(at: start, count: isLast ? limit : end - start)
    if isLast, let terminator = name.firstIndex(of: 0) {
      name.removeSubrange(terminator...)
    }
    guard (1...Self.maximumName).contains(name.count) else { throw defect(.nameLength) }
    guard !name.contains(0), !name.contains(0x2f) else { throw defect(.nameBytes) }
    return name
  }

  func entry(at position: Int) throws(EROFSError) -> EROFSImage.DirectoryEntry {
    let start = position * Self.entrySize
    return EROFSImage.DirectoryEntry(
      name: try name(at: position),
      node: EROFSImage.NodeID(try record.word64(at: start)),
      type: EROFSImage.FileType(rawValue: try record.byte(at: start + 10)))
  }

  /// Looks a name up by binary search.
  func find(_ name: [UInt8]) throws(EROFSError) -> EROFSImage.DirectoryEntry? {
    let position = try (0..<count).partitioningIndex { (position) throws(EROFSError) in
      try !self.name(at: position).lexicographicallyPrecedes(name)
    }
    guard position < count, try self.name(at: position) == name else { return nil }
    return try entry(at: position)
  }

  private func defect(_ defect: EROFSError.DirectoryDefect) -> EROFSError {
    .corruptDirectory(directory, block: index, defect)
  }
}

/// A place in a directory, from which its entries are read one after another. It holds one block at a time.
struct DirectoryCursor {
  private let image: EROFSImage
  let directory: EROFSImage.Inode
  private var block: DirectoryBlock?
  private var nextBlock = 0
  private var position = 0
  private var previous: [UInt8] = []

  /// - Throws: `wrongType` if `directory` is another type of file.
  init(_ directory: EROFSImage.Inode, in image: EROFSImage) throws(EROFSError) {
    guard directory.type == .directory else { throw .wrongType(directory.node, directory.type) }
    self.image = image
    self.directory = directory
  }

  /// The next entry. Nil after the last one.
  ///
  /// - Throws: `corruptDirectory` if the names are not in strictly ascending order. That also bounds the work: a
  ///   listing ends where a malicious image uses a block twice.
  mutating func next() throws(EROFSError) -> EROFSImage.DirectoryEntry? {
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
