/// A part of an image, as an error message names it.
public enum ErofsPart: String, Equatable, Sendable {
  case superblock
  case inode
  case directory
  case attributes = "extended attributes"
  case data = "file data"
  case tail = "inline tail"
  case chunkTable = "chunk table"
}

/// How an inode can contradict the format.
public enum ErofsInodeDefect: Equatable, Sendable, CustomStringConvertible {
  /// Format bits that no known version defines.
  case format(UInt16)
  /// A data layout that no known version defines.
  case layout(UInt8)
  /// A mode whose type bits name no type of file.
  case mode(UInt16)
  /// A size that no file can have.
  case size(UInt64)
  /// A chunk format with bits that no known version defines.
  case chunkFormat(UInt16)
  /// An inline tail that does not end in the block where it starts.
  case tailCrossesBlock
  /// The type that a directory entry states is not the inode's.
  case typeMismatch(ErofsFileType)
  /// The link count is not the number of names.
  case linkCount(stored: UInt32, found: UInt32)

  public var description: String {
    switch self {
    case .format(let bits): "unknown format bits 0x\(String(bits, radix: 16))"
    case .layout(let layout): "unknown data layout \(layout)"
    case .mode(let mode): "unknown file type in mode 0\(String(mode, radix: 8))"
    case .size(let size): "impossible size \(size)"
    case .chunkFormat(let bits): "unknown chunk format 0x\(String(bits, radix: 16))"
    case .tailCrossesBlock: "the inline tail crosses a block boundary"
    case .typeMismatch(let type): "a directory entry says it is a \(type)"
    case .linkCount(let stored, let found): "link count \(stored), but \(found) names"
    }
  }
}

/// How a directory block can contradict the format.
public enum ErofsDirectoryDefect: String, Equatable, Sendable {
  case tooShort = "shorter than one entry"
  case firstName = "the first name's offset is not the end of the entries"
  case nameOffset = "a name's offset is outside the block, or before that of the name before it"
  case nameLength = "a name is empty or longer than 255 bytes"
  case nameBytes = "a name holds a slash or a NUL"
  case order = "names are not in strictly ascending order"
  case selfEntry = "`.` is missing or does not name the directory"
  case parentEntry = "`..` is missing or does not name the parent"
}
