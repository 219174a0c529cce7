import Glibc

extension ErofsError: CustomStringConvertible {
  /// One line for a person, without the image's name, which only the caller knows.
  public var description: String {
    switch self {
    case .notErofs(let magic):
      "not an EROFS image: the magic number is 0x\(hex(magic)), not 0x\(hex(ErofsSuperblock.magic))"
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
    case .memoryLimit:
      "the image has too many files to be checked in bounded memory"
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
