/// What can be wrong with an EROFS image, or with a question asked of one.
///
/// An image is untrusted input: whatever its bytes say, the answer is a value or one of these, never a trap and never a
/// byte from outside the image.
public enum ErofsError: Error, Equatable, Sendable {
  /// The bytes where a superblock belongs do not start with the EROFS magic number.
  case notErofs(magic: UInt32)
  /// The image ends before the blocks that its superblock counts, or before the superblock itself.
  case truncated(needed: UInt64, available: Int)
  /// The superblock's CRC-32C does not match its bytes.
  case checksumMismatch(stored: UInt32, computed: UInt32)
  /// The image's block size is not the 4096 bytes of a page, so its blocks cannot be mapped in place.
  case unsupportedBlockSize(log2: UInt8)
  /// The image's directory blocks differ in size from its blocks.
  case unsupportedDirectoryBlockSize(log2: UInt8)
  /// The image needs features that this reader does not have; their names are those of the format.
  case unsupportedFeatures([String])
  /// Something lies, wholly or in part, outside the image.
  case outsideImage(ErofsPart, offset: UInt64, count: UInt64, available: Int)
  /// The source of the image's bytes could not answer, or not with as many bytes as it was asked for (`EIO`): the image was
  /// truncated while it was read, or its disk failed.
  case unreadable(offset: Int, count: Int)
  /// An inode contradicts the format.
  case corruptInode(ErofsNodeID, ErofsInodeDefect)
  /// A directory block contradicts the format.
  case corruptDirectory(ErofsNodeID, block: Int, ErofsDirectoryDefect)
  /// The file's data are compressed: they have no bytes in the image that could be read or mapped as they are.
  case compressed(ErofsNodeID)
  /// A symbolic link's target is empty, longer than a path may be, or holds a NUL.
  case corruptLink(ErofsNodeID, size: Int)
  /// A directory is reached by two ways: it is its own ancestor, or has two parents.
  case directoryLoop(ErofsNodeID)
  /// Directories nest deeper than any path can name.
  case tooDeep(ErofsNodeID)
  /// There are more names or chunks than the image has room for: it uses the same bytes for several.
  case overfull(ErofsPart)
  /// No such file or directory (`ENOENT`).
  case notFound(String)
  /// A component of a path that has components after it is not a directory (`ENOTDIR`).
  case notADirectory(String)
  /// A name is longer than 255 bytes or a path longer than 4095 (`ENAMETOOLONG`).
  case nameTooLong(String)
  /// More than 40 symbolic links stand in the way (`ELOOP`).
  case tooManyLinks(String)
  /// The question makes sense only for another type of file: for instance, the target of a regular file.
  case wrongType(ErofsNodeID, ErofsFileType)
  /// The file is larger than the caller is ready to hold in memory.
  case tooLarge(ErofsNodeID, size: Int)
  /// The image has so many files that checking them would take more memory than a check may take.
  case memoryLimit
  /// The image's real file cannot be opened.
  case cannotOpen(path: String, errno: Int32)
  /// The path names neither a regular file nor a block device.
  case notAFile(path: String)
  /// A negative offset, count or page index.
  case invalidArgument
}
