import Glibc

/// What can be wrong with an EROFS image, or with a question asked of one.
///
/// An image is untrusted input. Whatever its bytes say, the answer is a value or one of these errors: never a trap, and
/// never a byte from outside the image.
public enum EROFSError: Error, Equatable, Sendable {
  /// The bytes where a superblock belongs do not start with the EROFS magic number.
  case notEROFS(magic: UInt32)
  /// The image ends before the blocks that its superblock counts, or before the superblock itself.
  case truncated(needed: UInt64, available: Int)
  /// The superblock's CRC-32C does not match its bytes.
  case checksumMismatch(stored: UInt32, computed: UInt32)
  /// The image's block size is not the 4096 bytes of a page, so its blocks cannot be mapped in place.
  case unsupportedBlockSize(log2: UInt8)
  /// The image's directory blocks differ in size from its blocks.
  case unsupportedDirectoryBlockSize(log2: UInt8)
  /// The image needs features that this reader does not have, named as in the format.
  case unsupportedFeatures([String])
  /// A part of the image lies, wholly or partly, outside of it.
  case outsideImage(Part, offset: UInt64, count: UInt64, available: Int)
  /// The image's bytes cannot be read (`EIO`): it was truncated while it was read, or its disk failed.
  case unreadable(offset: Int, count: Int)
  /// An inode contradicts the format.
  case corruptInode(EROFSImage.NodeID, InodeDefect)
  /// A directory block contradicts the format.
  case corruptDirectory(EROFSImage.NodeID, block: Int, DirectoryDefect)
  /// The file's data are compressed, so the image does not hold them as they are.
  case compressed(EROFSImage.NodeID)
  /// A symbolic link's target is empty, longer than a path may be, or holds a NUL.
  case corruptLink(EROFSImage.NodeID, size: Int)
  /// A directory is its own ancestor, or has two parents.
  case directoryLoop(EROFSImage.NodeID)
  /// Directories nest deeper than any path can name.
  case tooDeep(EROFSImage.NodeID)
  /// There are more names or chunks than the image has bytes for: it uses the same bytes several times.
  case overfull(Part)
  /// The image has more files than can be checked in bounded memory.
  case memoryLimit
  /// No such file or directory (`ENOENT`) in the image.
  case notFound(String)
  /// A component of a path that has components after it is not a directory (`ENOTDIR`).
  case notADirectory(String)
  /// A name is longer than 255 bytes, or a path longer than 4095 (`ENAMETOOLONG`).
  case nameTooLong(String)
  /// A path leads through more than 40 symbolic links (`ELOOP`).
  case tooManyLinks(String)
  /// The question is for another type of file: the target of a regular file, for instance.
  case wrongType(EROFSImage.NodeID, EROFSImage.FileType)
  /// The file is larger than the caller's limit.
  case tooLarge(EROFSImage.NodeID, size: Int)
  /// A real file cannot be opened as an image. `errno` says why.
  case cannotOpen(path: String, errno: Int32)
  /// A path names neither a regular file nor a block device.
  case notAFile(path: String)
  /// A negative offset, count or page index (`EINVAL`).
  case invalidArgument

  /// A part of an image, as a message names it.
  public enum Part: String, Equatable, Sendable {
    /// The superblock.
    case superblock
    /// An inode.
    case inode
    /// A directory's entries and names.
    case directory
    /// The extended attributes of an inode.
    case attributes = "extended attributes"
    /// The data of a file.
    case data = "file data"
    /// The last bytes of a file, beside its inode.
    case tail = "inline tail"
    /// The table that says where a file's chunks are.
    case chunkTable = "chunk table"
  }

  /// How an inode can contradict the format.
  public enum InodeDefect: Equatable, Sendable {
    /// Format bits that no known version defines.
    case format(UInt16)
    /// A data layout that no known version defines.
    case layout(UInt8)
    /// A mode with type bits that name no type of file.
    case mode(UInt16)
    /// A size that no file can have.
    case size(UInt64)
    /// A chunk format with bits that no known version defines.
    case chunkFormat(UInt16)
    /// An inline tail that does not end in the block where it starts.
    case tailCrossesBlock
    /// A directory entry states another type than the inode.
    case typeMismatch(EROFSImage.FileType)
    /// The link count is not the number of names.
    case linkCount(stored: UInt32, found: UInt32)
  }

  /// How a directory block can contradict the format. The raw values are for messages.
  public enum DirectoryDefect: String, Equatable, Sendable {
    /// The block has no room for one entry.
    case tooShort = "shorter than one entry"
    /// The first name does not start where the entries end.
    case firstName = "the first name's offset is not the end of the entries"
    /// A name lies outside of the block, or before the name of the entry before it.
    case nameOffset = "a name's offset is outside the block, or before that of the name before it"
    /// A name is empty or longer than 255 bytes.
    case nameLength = "a name is empty or longer than 255 bytes"
    /// A name holds a slash or a NUL.
    case nameBytes = "a name holds a slash or a NUL"
    /// The names are not sorted, or one stands twice.
    case order = "names are not in strictly ascending order"
    /// The directory does not name itself.
    case selfEntry = "`.` is missing or does not name the directory"
    /// The directory does not name its parent.
    case parentEntry = "`..` is missing or does not name the parent"
  }
}

extension EROFSError: CustomStringConvertible {
  /// One line for a person, without the image's path, which only the caller knows.
  public var description: String {
    switch self {
    case .notEROFS(let magic):
      "not an EROFS image: the magic number is 0x\(hex(magic)), not 0x\(hex(EROFSImage.Superblock.magic))"
    case .truncated(let needed, let available):
      "truncated image: \(needed) bytes are needed, \(available) are there"
    case .checksumMismatch(let stored, let computed):
      "superblock checksum mismatch: stored 0x\(hex(stored)), computed 0x\(hex(computed))"
    case .unsupportedBlockSize(let log2):
      "unsupported block size: 2^\(log2) bytes (only 4096 can be mapped in place)"
    case .unsupportedDirectoryBlockSize(let log2):
      "unsupported directory block size: 2^\(log2) blocks"
    case .unsupportedFeatures(let names):
      "unsupported incompatible feature\(names.count == 1 ? "" : "s"): \(names.joined(separator: ", "))"
    case .outsideImage(let part, let offset, let count, let available):
      "\(part.rawValue) at offset \(offset), \(count) bytes, outside the image of \(available) bytes"
    case .unreadable(let offset, let count):
      "\(count) bytes at offset \(offset) cannot be read (EIO): the image was truncated meanwhile, or its disk failed"
    case .corruptInode(let node, let defect):
      "corrupt inode \(node.rawValue): \(defect)"
    case .corruptDirectory(let node, let block, let defect):
      "corrupt directory \(node.rawValue), block \(block): \(defect.rawValue)"
    case .compressed(let node):
      "inode \(node.rawValue) is compressed: compressed files are not supported"
    case .corruptLink(let node, let size):
      "corrupt symbolic link \(node.rawValue) (\(size) bytes)"
    case .directoryLoop(let node):
      "directory \(node.rawValue) is reached by more than one way"
    case .tooDeep(let node):
      "directory \(node.rawValue) is nested too deeply"
    case .overfull(let part):
      "the image has no room for so much (\(part.rawValue)): it uses the same bytes several times"
    case .memoryLimit:
      "the image has too many files to be checked in bounded memory"
    case .notFound(let path):
      "\(path): no such file or directory"
    case .notADirectory(let path):
      "\(path): not a directory"
    case .nameTooLong(let path):
      "\(path): name too long"
    case .tooManyLinks(let path):
      "\(path): too many levels of symbolic links"
    case .wrongType(let node, let type):
      "inode \(node.rawValue) is a \(type.description)"
    case .tooLarge(let node, let size):
      "inode \(node.rawValue) is too large to be held in memory (\(size) bytes)"
    case .cannotOpen(let path, let errno):
      "\(path): \(String(cString: strerror(errno)))"
    case .notAFile(let path):
      "\(path): neither a regular file nor a block device"
    case .invalidArgument:
      "invalid argument"
    }
  }

  private func hex(_ value: UInt32) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 8 - digits.count) + digits
  }
}

extension EROFSError.InodeDefect: CustomStringConvertible {
  /// The defect as a part of a message.
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
