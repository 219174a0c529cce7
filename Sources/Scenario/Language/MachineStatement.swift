/// What the machine is made of; stands before the first space.
public enum MachineStatement: Equatable, Sendable, CustomStringConvertible {
  /// RAM with frame descriptors.
  case memory(pages: Int)
  /// Room for pages that are advised out.
  case swap(pages: Int)
  /// Execute-in-place memory without frame descriptors.
  case image(name: String, Contents)
  /// A file in the page cache.
  case file(name: String, Contents)
  /// RAM that is mapped by frame number.
  case device(name: String, pages: Int)
  /// Execute-in-place memory that holds an EROFS file system, as it lies in the real file at `path`, mounted.
  case erofs(name: String, path: String, bytes: [UInt8])

  public var description: String {
    switch self {
    case .memory(let pages): "memory \(pages)"
    case .swap(let pages): "swap \(pages)"
    case .image(let name, let contents): "image \(name) \(contents)"
    case .file(let name, let contents): "file \(name) \(contents)"
    case .device(let name, let pages): "device \(name) \(pages)"
    case .erofs(let name, let path, _): "erofs \(name) \(path)"
    }
  }
}

/// What an image or a file holds at the start.
public enum Contents: Equatable, Sendable, CustomStringConvertible {
  /// So many pages of one byte; without a byte an image counts its pages from 1 and a file is zero.
  case filled(pages: Int, byte: UInt8?)
  /// A real file's bytes, read when the scenario is parsed.
  case copied(path: String, bytes: [UInt8])

  public var description: String {
    switch self {
    case .filled(let pages, nil): "\(pages)"
    case .filled(let pages, let byte?): "\(pages) \(ByteString.hex(byte))"
    case .copied(let path, _): "from \(path)"
    }
  }
}
