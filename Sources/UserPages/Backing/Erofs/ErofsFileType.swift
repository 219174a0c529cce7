/// The type of a file. The raw values are those of a directory entry on disk.
public enum ErofsFileType: UInt8, Hashable, Sendable, CustomStringConvertible {
  case regular = 1
  case directory = 2
  case characterDevice = 3
  case blockDevice = 4
  case pipe = 5
  case socket = 6
  case symbolicLink = 7

  /// The type that the upper bits of an inode's mode name; nil where they name none.
  public init?(mode: UInt16) {
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
  public var hasData: Bool {
    switch self {
    case .regular, .directory, .symbolicLink: true
    case .characterDevice, .blockDevice, .pipe, .socket: false
    }
  }

  /// The letter that `ls -l` starts a line with.
  public var letter: Character {
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
