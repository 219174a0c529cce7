/// A regular file of an EROFS image, as mappings show it.
///
/// A fault on a whole block is answered with the frame number of the image's memory, one on a hole with the page of
/// zeroes. The tail that is packed beside the inode starts in the middle of a page, so it cannot be mapped in place: it is
/// copied into one frame of the page cache on first use. Such a mapping holds both kinds of entry, which is what
/// VM_MIXEDMAP is for.
///
/// Nothing is kept for a block. A file is read-only: through a shared mapping a store is a bus error, through a private one
/// it is copy-on-write.
public final class ErofsFile: Backing {
  public let inode: ErofsInode
  private let tree: ErofsImage
  private let image: Image
  private let tail: PageCacheFile?

  init(_ inode: ErofsInode, tree: ErofsImage, image: Image) {
    self.inode = inode
    self.tree = tree
    self.image = image
    if case .blocksAndTail = inode.layout, inode.size > 0 {
      let start = (inode.pages - 1) * Page.size
      tail = PageCacheFile(
        image.memory,
        page: { () throws(PageError) in
          // The inode was checked when it was read. The image's real file may have been truncated since.
          do throws(ErofsError) { return try tree.read(inode, at: start, count: Page.size) } catch { throw .busError }
        },
        byteCount: inode.size - start)
    } else {
      tail = nil
    }
  }

  /// The file's length.
  public var byteCount: Int { inode.size }

  public var pageCount: Int { inode.pages }

  public var takesStores: Bool { false }

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

  /// 2 MiB that lie in one piece and aligned in the image, or are a hole.
  public func hugeFault(page: Int, write: Bool) -> FaultAnswer? {
    guard !write, page >= 0, let extent = try? tree.extent(atPage: page, of: inode), extent.byteCount >= Page.hugeSize
    else { return nil }
    switch extent.place {
    case .block(let block): return .frameNumber(image.firstPFN + block, writable: false)
    case .hole: return .frameNumber(image.memory.zeroPage, writable: false)
    case .tail: return nil
    }
  }

  public func didCopy(page: Int, to copy: FrameBytes) { image.didCopy(page: page, to: copy) }

  /// `read(2)`, by frame number: the bytes at `offset`, fewer at the file's end. No descriptor is touched.
  public func read(at offset: Int, count: Int) throws(ErofsError) -> [UInt8] {
    try tree.read(inode, at: offset, count: count)
  }

  /// `write(2)`: a file of an image can only be read.
  public func write(_ bytes: [UInt8], at offset: Int) throws(PageError) { throw .readOnly }

  /// Throws the cached tail away. Where it is mapped or pinned, its frame lives on until it is let go.
  public func drop() { tail?.drop() }
}
