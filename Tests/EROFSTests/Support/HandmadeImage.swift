import UserPagesEROFS

/// Images made by hand, as no tool would make them.
enum HandmadeImage {
  private static let blockSize = 4096

  /// An image of one deep directory with many names for empty files. The directory's path has almost 4096 bytes.
  ///
  /// - Parameters:
  ///   - names: how many names the deepest directory has.
  ///   - files: how many files there are for them, each with as many names, or one name more.
  static func deepDirectory(names: Int, files: Int) -> [UInt8] {
    let depth = 15
    // Inodes of 32 bytes from block 1 on: the directories, then the files.
    let inodeBlocks = ((depth + 1 + files) * 32 + blockSize - 1) / blockSize
    var data: [[UInt8]] = []
    var inodes: [UInt8] = []
    for level in 0...depth {
      let isDeepest = level == depth
      var entries: [(name: [UInt8], node: Int, type: UInt8)] = [
        (Array(".".utf8), level, 2), (Array("..".utf8), max(0, level - 1), 2),
      ]
      if isDeepest {
        for index in 0..<names { entries.append((name(index), depth + 1 + index % files, 1)) }
      } else {
        entries.append(([UInt8](repeating: 0x64, count: 255), level + 1, 2))
      }
      let blocks = directoryBlocks(entries)
      let links = isDeepest ? 2 : 3
      inodes += inode(mode: 0o40755, size: blocks.count * blockSize, links: links, block: 1 + inodeBlocks + data.count)
      data += blocks
    }
    for index in 0..<files {
      inodes += inode(mode: 0o100644, size: 0, links: names / files + (index < names % files ? 1 : 0), block: 0)
    }
    inodes += [UInt8](repeating: 0, count: inodeBlocks * blockSize - inodes.count)
    return superblock(blocks: 1 + inodeBlocks + data.count) + inodes + data.joined()
  }

  /// Four bytes, so that the names' order is that of the numbers.
  private static func name(_ index: Int) -> [UInt8] {
    [index / 32_768 % 32, index / 1024 % 32, index / 32 % 32, index % 32].map { UInt8(0x41 + $0) }
  }

  private static func superblock(blocks: Int) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: blockSize)
    put(EROFSImage.Superblock.magic, into: &bytes, at: 1024)
    bytes[1024 + 12] = 12
    put(UInt32(blocks), into: &bytes, at: 1024 + 36)
    put(UInt32(1), into: &bytes, at: 1024 + 40)
    return bytes
  }

  private static func inode(mode: UInt16, size: Int, links: Int, block: Int) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 32)
    put(mode, into: &bytes, at: 4)
    put(UInt16(truncatingIfNeeded: links), into: &bytes, at: 6)
    put(UInt32(size), into: &bytes, at: 8)
    put(UInt32(block), into: &bytes, at: 16)
    return bytes
  }

  /// The blocks of a directory: in each, entries of 12 bytes, then their names.
  private static func directoryBlocks(_ entries: [(name: [UInt8], node: Int, type: UInt8)]) -> [[UInt8]] {
    var blocks: [[UInt8]] = []
    var rest = entries[...]
    while !rest.isEmpty {
      var taken = 0
      var size = 0
      for entry in rest {
        guard size + 12 + entry.name.count <= blockSize else { break }
        size += 12 + entry.name.count
        taken += 1
      }
      var block = [UInt8](repeating: 0, count: blockSize)
      var nameOffset = taken * 12
      for (index, entry) in rest.prefix(taken).enumerated() {
        put(UInt64(entry.node), into: &block, at: index * 12)
        put(UInt16(nameOffset), into: &block, at: index * 12 + 8)
        block[index * 12 + 10] = entry.type
        block.replaceSubrange(nameOffset..<nameOffset + entry.name.count, with: entry.name)
        nameOffset += entry.name.count
      }
      blocks.append(block)
      rest = rest.dropFirst(taken)
    }
    return blocks
  }

  private static func put(_ value: some FixedWidthInteger, into bytes: inout [UInt8], at position: Int) {
    withUnsafeBytes(of: value.littleEndian) { bytes.replaceSubrange(position..<position + $0.count, with: $0) }
  }
}
