import Synchronization
import UserPages

/// An EROFS image in execute-in-place memory, mounted: its files can be mapped where they lie.
///
///     let volume = try EROFSVolume(try Image(memory, path: "system.erofs"))
///     let shell = try volume.file(at: "/bin/sh")
///     try space.map(at: 0x40_0000, pages: shell.pageCount, protection: .read, backing: .mixed(shell))
///
/// However many spaces map a file, its blocks are the image's own memory, with no descriptor and no copy. Its tail has
/// one frame. The image's bytes must not change while it is mounted. They must not change through a shared writable
/// mapping of the image itself, nor through the real file that the image may be. If that file is truncated, accesses to
/// what is lost are bus errors.
public final class EROFSVolume: Sendable {
  /// Where the image's bytes are.
  package let image: Image
  /// The image's names and inodes.
  public let tree: EROFSImage
  private let files = Mutex<[EROFSImage.NodeID: EROFSFile]>([:])

  /// Mounts the EROFS image that `image` holds.
  ///
  /// - Throws: what is wrong with the superblock or the root directory.
  public init(_ image: Image) throws(EROFSError) {
    self.image = image
    tree = try EROFSImage(EROFSMemorySource(image: image))
  }

  /// The regular file at a path. It is the same object each time.
  ///
  /// - Throws: among others these.
  ///   - `wrongType` if the path names another type of file.
  ///   - `compressed`.
  public func file(at path: String) throws(EROFSError) -> EROFSFile {
    try file(try tree.inode(at: path))
  }

  /// The regular file of an inode. It is the same object each time.
  package func file(_ inode: EROFSImage.Inode) throws(EROFSError) -> EROFSFile {
    guard inode.type == .regular else { throw .wrongType(inode.node, inode.type) }
    guard inode.layout != .compressed else { throw .compressed(inode.node) }
    return files.withLock { files in
      if let file = files[inode.node] { return file }
      let file = EROFSFile(inode, tree: tree, image: image)
      files[inode.node] = file
      return file
    }
  }

  /// Drops the cached tails of all files. Mapped and pinned frames live on until their last reference is put.
  public func drop() {
    for file in files.withLock({ Array($0.values) }) { file.drop() }
  }
}

/// A regular file of an EROFS image, as mappings show it.
///
/// A fault on a whole block is answered with the frame number of the image's memory, a fault on a hole with the zero
/// page. The tail that is packed beside the inode starts in the middle of a page, so it cannot be mapped in place. The
/// first fault copies it into one frame of the page cache. Such a mapping holds both kinds of entry, which is what
/// VM_MIXEDMAP is for.
///
/// A block costs no memory of its own. A file is read-only: a store through a shared mapping is a bus error, a store
/// through a private one is copy-on-write.
public final class EROFSFile: Backing {
  /// What the image says about the file.
  package let inode: EROFSImage.Inode
  private let tree: EROFSImage
  private let image: Image
  private let tail: PageCacheFile?

  init(_ inode: EROFSImage.Inode, tree: EROFSImage, image: Image) {
    self.inode = inode
    self.tree = tree
    self.image = image
    if case .blocksAndTail = inode.layout, inode.size > 0 {
      let start = (inode.pages - 1) * Page.size
      tail = PageCacheFile(
        image.memory,
        page: { () throws(PageError) in
          // The inode was checked when it was read. The image's real file may have been truncated since.
          do throws(EROFSError) { return try tree.read(inode, at: start, count: Page.size) } catch { throw .busError }
        },
        byteCount: inode.size - start)
    } else {
      tail = nil
    }
  }

  /// The file's length in bytes.
  public var byteCount: Int { inode.size }

  public var pageCount: Int { inode.pages }

  public var takesStores: Bool { false }

  public var prefersHugePages: Bool { true }

  public func fault(page: Int, write: Bool) -> FaultAnswer {
    guard !write, page >= 0, page < inode.pages else { return .busError }
    if page == inode.pages - 1, let tail { return tail.fault(page: 0, write: false) }
    do {
      guard let extent = try tree.extent(atPage: page, of: inode) else { return .busError }
      switch extent.place {
      case .block(let block): return .frameNumber(image.firstPFN + block, writable: false)
      case .hole: return .frameNumber(image.memory.zeroPage, writable: false)
      case .tail: return .busError
      }
    } catch {
      // A chunk outside the image.
      return .busError
    }
  }

  /// Answers for 2 MiB that are contiguous and aligned in the image, or are a hole.
  public func hugeFault(page: Int, write: Bool) -> FaultAnswer? {
    guard !write, page >= 0, let extent = try? tree.extent(atPage: page, of: inode), extent.byteCount >= Page.hugeSize
    else { return nil }
    switch extent.place {
    case .block(let block): return .frameNumber(image.firstPFN + block, writable: false)
    case .hole: return .frameNumber(image.memory.zeroPage, writable: false)
    case .tail: return nil
    }
  }

  public func didCopy(page: Int, to copy: PageBytes) { image.didCopy(page: page, to: copy) }

  /// Reads the bytes at `offset`, fewer at the file's end (`read(2)`). It goes by frame number and touches no
  /// descriptor.
  ///
  /// - Throws: as `EROFSImage.read(_:at:count:)`.
  public func read(at offset: Int, count: Int) throws(EROFSError) -> [UInt8] {
    try tree.read(inode, at: offset, count: count)
  }

  /// Throws `readOnly` (`write(2)`): a file of an image can only be read.
  package func write(_ bytes: [UInt8], at offset: Int) throws(PageError) { throw .readOnly }

  /// Drops the cached tail. If it is mapped or pinned, its frame lives on until the last reference is put.
  package func drop() { tail?.drop() }
}
