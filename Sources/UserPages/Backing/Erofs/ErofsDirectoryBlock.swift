/// One block of a directory: entries of 12 bytes, sorted by name, then the names in the same order.
struct ErofsDirectoryBlock {
  private static let entrySize = 12
  static let maximumName = 255

  private let record: ErofsRecord
  private let directory: ErofsNodeID
  private let index: Int
  /// How many entries the block has: at least one.
  let count: Int

  init(_ record: ErofsRecord, of directory: ErofsNodeID, index: Int) throws(ErofsError) {
    guard record.bytes.count >= Self.entrySize else {
      throw .corruptDirectory(directory, block: index, .tooShort)
    }
    // Nothing counts the entries: the first name starts where they end.
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
  func name(at position: Int) throws(ErofsError) -> [UInt8] {
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

  func entry(at position: Int) throws(ErofsError) -> ErofsDirectoryEntry {
    let start = position * Self.entrySize
    return ErofsDirectoryEntry(
      name: try name(at: position),
      node: ErofsNodeID(try record.word64(at: start)),
      type: ErofsFileType(rawValue: try record.byte(at: start + 10)))
  }

  /// Looks a name up by halving the entries.
  func find(_ name: [UInt8]) throws(ErofsError) -> ErofsDirectoryEntry? {
    var low = 0
    var high = count
    while low < high {
      let middle = low + (high - low) / 2
      let other = try self.name(at: middle)
      if other == name { return try entry(at: middle) }
      if other.lexicographicallyPrecedes(name) {
        low = middle + 1
      } else {
        high = middle
      }
    }
    return nil
  }

  private func defect(_ defect: ErofsDirectoryDefect) -> ErofsError {
    .corruptDirectory(directory, block: index, defect)
  }
}
