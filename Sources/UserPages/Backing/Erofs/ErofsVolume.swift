import Synchronization

/// An EROFS image in execute-in-place memory, mounted: its files can be mapped where they lie.
///
///     let volume = try ErofsVolume(try Image(memory, path: "system.erofs"))
///     let shell = try volume.file(at: "/bin/sh")
///     try space.map(at: 0x40_0000, pages: shell.pageCount, protection: .read, backing: .mixed(shell))
///
/// However many spaces map a file, its blocks are the image's own memory, with no descriptor and no copy, and there is one
/// frame for its tail. The image's bytes must not change while it is mounted: not through a shared writable mapping of the
/// image itself, and not through the real file that it may be.
public final class ErofsVolume: Sendable {
  /// Where the image's bytes are.
  public let image: Image
  /// What the image says: its names and inodes.
  public let tree: ErofsImage
  private let files = Mutex<[ErofsNodeID: ErofsFile]>([:])

  /// Mounts an image.
  public init(_ image: Image) throws(ErofsError) {
    self.image = image
    tree = try ErofsImage(ErofsImageSource(image: image))
  }

  /// The regular file at a path; the same object each time.
  ///
  /// - Throws: among others `wrongType` where the path names another type of file, and `compressed`.
  public func file(at path: String) throws(ErofsError) -> ErofsFile {
    try file(try tree.inode(at: path))
  }

  /// The regular file of an inode; the same object each time.
  public func file(_ inode: ErofsInode) throws(ErofsError) -> ErofsFile {
    guard inode.type == .regular else { throw .wrongType(inode.node, inode.type) }
    guard inode.layout != .compressed else { throw .compressed(inode.node) }
    return files.withLock { files in
      if let file = files[inode.node] { return file }
      let file = ErofsFile(inode, tree: tree, image: image)
      files[inode.node] = file
      return file
    }
  }

  /// Throws the cached tails away. Mapped and pinned frames live on until they are let go.
  public func drop() {
    for file in files.withLock({ Array($0.values) }) { file.drop() }
  }
}
