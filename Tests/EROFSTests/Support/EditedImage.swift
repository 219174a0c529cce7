import TestSupport
import UserPagesEROFS

/// The bytes of an image that a test damages.
struct EditedImage {
  private(set) var bytes: [UInt8]

  init(_ bytes: [UInt8]) {
    self.bytes = bytes
  }

  init(of directory: String, options: [String] = []) throws {
    let temporary = try TemporaryDirectory()
    try Tool.makeImage(of: directory, at: temporary["image"], options)
    guard let bytes = SourceFile.contents(of: Array(temporary["image"].utf8)) else {
      throw Tool.Failure(description: "the image cannot be read")
    }
    self.bytes = bytes
  }

  /// The image as it is now.
  func open() throws(EROFSError) -> EROFSImage {
    try EROFSImage(bytes: bytes)
  }

  /// Where the inode of a path starts.
  func position(of path: String) throws -> Int {
    let image = try open()
    let inode = try image.inode(at: path, followLast: false)
    return Int(image.superblock.metadataBlock) * 4096 + Int(inode.node.rawValue) * 32
  }

  /// Writes a little-endian number and makes the checksum right again.
  mutating func set<T: FixedWidthInteger>(_ value: T, at position: Int, keepChecksum: Bool = false) {
    withUnsafeBytes(of: value.littleEndian) { bytes.replaceSubrange(position..<position + $0.count, with: $0) }
    if !keepChecksum { refreshChecksum() }
  }

  mutating func truncate(to count: Int) {
    bytes.removeLast(bytes.count - count)
  }

  /// Makes the superblock's checksum right again if the image says that it has one. Images by mkfs.erofs say that the
  /// sum itself is computed as the format wants it.
  mutating func refreshChecksum() {
    guard bytes.count >= 4096, bytes[1032] & 1 != 0 else { return }
    var sum = CRC32C()
    sum.add(bytes[1024..<1028])
    // The checksum's own place counts as zeroes.
    sum.add([0, 0, 0, 0])
    sum.add(bytes[1032..<4096])
    withUnsafeBytes(of: sum.value.littleEndian) { bytes.replaceSubrange(1028..<1032, with: $0) }
  }
}
