/// A part of the machine. These statements come before the first space.
public enum MachineStatement: Equatable, Sendable, CustomStringConvertible {
  /// RAM with frame descriptors. The last `movable` pages are for memory that can be moved (ZONE_MOVABLE).
  case memory(pages: Int, movable: Int = 0)
  /// Pages in the swap file.
  case swap(pages: Int)
  /// Execute-in-place memory without frame descriptors.
  case image(name: String, Contents)
  /// A file in the page cache.
  case file(name: String, Contents)
  /// A real file beside the page cache.
  case diskFile(name: String, Contents)
  /// RAM that is mapped by frame number.
  case device(name: String, pages: Int)
  /// Execute-in-place memory with the bytes of the real file at `path`: a mounted EROFS file system.
  case erofs(name: String, path: String, bytes: [UInt8])

  public var description: String {
    switch self {
    case .memory(let pages, 0): "memory \(pages)"
    case .memory(let pages, let movable): "memory \(pages) movable \(movable)"
    case .swap(let pages): "swap \(pages)"
    case .image(let name, let contents): "image \(name) \(contents)"
    case .file(let name, let contents): "file \(name) \(contents)"
    case .diskFile(let name, let contents): "diskfile \(name) \(contents)"
    case .device(let name, let pages): "device \(name) \(pages)"
    case .erofs(let name, let path, _): "erofs \(name) \(path)"
    }
  }
}

/// The contents of an image or a file at the start.
public enum Contents: Equatable, Sendable, CustomStringConvertible {
  /// Pages that hold one byte everywhere. Without a byte, page i of an image holds i + 1 and a file holds zeros.
  case filled(pages: Int, byte: UInt8?)
  /// The bytes of a real file. The parser reads it.
  case copied(path: String, bytes: [UInt8])

  public var description: String {
    switch self {
    case .filled(let pages, nil): "\(pages)"
    case .filled(let pages, let byte?): "\(pages) \(ByteString.hex(byte))"
    case .copied(let path, _): "from \(path)"
    }
  }
}
