/// A piece of a file that lies in one piece in the image, or takes no space there.
public struct ErofsExtent: Equatable, Sendable {
  /// Where the bytes of an extent are.
  public enum Place: Equatable, Sendable {
    /// From the beginning of this block of the image on, in whole blocks but perhaps for the file's end.
    case block(Int)
    /// At this offset in the image, beside the inode.
    case tail(Int)
    /// Nowhere: they are zero.
    case hole
  }

  /// Where the extent starts in the file; a multiple of the block size.
  public let fileOffset: Int
  /// How many of the file's bytes it has; never zero.
  public let byteCount: Int
  public let place: Place
}

/// What stands behind one page of a file.
public enum ErofsPage: Equatable, Sendable {
  /// A whole block of the image, by number: it can be mapped where it lies. Past the end of the file, the block has
  /// whatever the image has there, which is zero in every image that `mkfs.erofs` makes.
  case block(Int)
  /// The file's last bytes, fewer than a page: they do not start on a page in the image, so they must be copied.
  case tail([UInt8])
  /// A page of zeros that takes no space in the image.
  case hole
  /// No page: the file ends before it.
  case beyondEnd
}
