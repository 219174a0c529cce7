extension EROFSImage {
  /// What an image says about one file.
  ///
  /// An inode that was read is sound: its data lie inside the image, as far as their place is known without the chunk
  /// table.
  public struct Inode: Equatable, Sendable {
    /// The inode's own number.
    public let node: NodeID
    /// The type of the file.
    public let type: FileType
    /// Permissions, and the bits for set-user-ID, set-group-ID and sticky.
    public let permissions: UInt16
    /// The size of the data in bytes.
    public let size: Int
    /// How many names the file has.
    package let linkCount: UInt32
    /// The user ID of the owner.
    package let owner: UInt32
    /// The group ID of the file.
    package let group: UInt32
    /// The number that `stat(2)` shows. Unlike `node`, it is no address.
    package let inodeNumber: UInt32
    /// When the file was changed, in seconds since 1970.
    package let modificationTime: UInt64
    package let modificationNanoseconds: UInt32
    /// The device that a character or block device stands for.
    package let device: Device?
    /// Where the data are.
    package let layout: Layout

    /// How many pages a mapping of the whole file has.
    package var pages: Int {
      size / EROFSImage.blockSize + (size % EROFSImage.blockSize == 0 ? 0 : 1)
    }
  }

  /// The number of an inode. An entry of a directory leads to its file by it, and two names of one file have the same.
  public struct NodeID: Hashable, Sendable {
    /// The position in the image's metadata area, in units of 32 bytes.
    package let rawValue: UInt64

    package init(_ rawValue: UInt64) {
      self.rawValue = rawValue
    }
  }

  /// The type of a file. The raw values are those of a directory entry on disk.
  public enum FileType: UInt8, Hashable, Sendable, CustomStringConvertible {
    /// A regular file.
    case regular = 1
    /// A directory.
    case directory = 2
    /// A character device.
    case characterDevice = 3
    /// A block device.
    case blockDevice = 4
    /// A named pipe (FIFO).
    case pipe = 5
    /// A Unix domain socket.
    case socket = 6
    /// A symbolic link.
    case symbolicLink = 7

    /// The type that the upper bits of an inode's mode name. Nil if they name none.
    package init?(mode: UInt16) {
      switch mode >> 12 {
      case 0o01: self = .pipe
      case 0o02: self = .characterDevice
      case 0o04: self = .directory
      case 0o06: self = .blockDevice
      case 0o10: self = .regular
      case 0o12: self = .symbolicLink
      case 0o14: self = .socket
      default: return nil
      }
    }

    /// Whether files of this type have bytes of their own in the image.
    package var hasData: Bool {
      switch self {
      case .regular, .directory, .symbolicLink: true
      case .characterDevice, .blockDevice, .pipe, .socket: false
      }
    }

    /// The letter that `ls -l` starts a line with.
    package var letter: Character {
      switch self {
      case .regular: "-"
      case .directory: "d"
      case .characterDevice: "c"
      case .blockDevice: "b"
      case .pipe: "p"
      case .socket: "s"
      case .symbolicLink: "l"
      }
    }

    /// The type in words.
    public var description: String {
      switch self {
      case .regular: "regular file"
      case .directory: "directory"
      case .characterDevice: "character device"
      case .blockDevice: "block device"
      case .pipe: "named pipe"
      case .socket: "socket"
      case .symbolicLink: "symbolic link"
      }
    }
  }

  /// The number of a device.
  package struct Device: Equatable, Sendable {
    package let major: UInt32
    package let minor: UInt32

    /// Decodes a device number: twelve bits of major number between the low eight and the high twelve of the minor one.
    init(encoded: UInt32) {
      major = (encoded >> 8) & 0xfff
      minor = (encoded & 0xff) | ((encoded >> 12) & 0xf_ff00)
    }
  }

  /// Where the data of a file are.
  package enum Layout: Equatable, Sendable {
    /// No data: a device, pipe or socket.
    case none
    /// Consecutive blocks, the last one padded.
    case blocks(first: UInt32)
    /// Consecutive blocks for all but the last page. Its bytes stand beside the inode, at an offset in the image.
    case blocksAndTail(first: UInt32, tail: Int)
    /// Chunks of a power of two of blocks, each where the table says.
    case chunks(ChunkTable)
    /// Compressed data, which this reader refuses to read.
    case compressed
  }

  /// The table that says where the chunks of a file are.
  package struct ChunkTable: Equatable, Sendable {
    /// The block number of a chunk that is all zeroes and takes no space.
    static let hole: UInt32 = 0xffff_ffff

    /// A chunk has two to the power of this many blocks.
    let blocksLog2: Int
    /// How many entries the table has.
    let count: Int
    /// Where the table starts in the image.
    let offset: Int
    /// Whether an entry has eight bytes, with the block in the last four, instead of four.
    let isWide: Bool

    var entrySize: Int { isWide ? 8 : 4 }
  }
}
