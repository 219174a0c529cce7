/// A load or a store of the program or of another process, or a read(2) or write(2).
public enum AccessStatement: Equatable, Sendable, CustomStringConvertible {
  case read(space: String, address: UInt64, count: Int)
  case write(space: String, address: UInt64, ByteString)
  case readRemotely(space: String, address: UInt64, count: Int)
  case writeRemotely(space: String, address: UInt64, ByteString)
  case readFile(name: String, offset: Int, count: Int)
  case writeFile(name: String, offset: Int, ByteString)
  /// `readfile` of a file in an EROFS file system.
  case readErofs(name: String, path: String, offset: Int, count: Int)
  case writeErofs(name: String, path: String, offset: Int, ByteString)

  public var description: String {
    switch self {
    case .read(let space, let address, let count): "read \(space) \(addressText(address)) \(count)"
    case .write(let space, let address, let bytes): "write \(space) \(addressText(address)) \(bytes)"
    case .readRemotely(let space, let address, let count): "rread \(space) \(addressText(address)) \(count)"
    case .writeRemotely(let space, let address, let bytes): "rwrite \(space) \(addressText(address)) \(bytes)"
    case .readFile(let name, let offset, let count): "readfile \(name) \(offset) \(count)"
    case .writeFile(let name, let offset, let bytes): "writefile \(name) \(offset) \(bytes)"
    case .readErofs(let name, let path, let offset, let count): "readfile \(name):\(path) \(offset) \(count)"
    case .writeErofs(let name, let path, let offset, let bytes): "writefile \(name):\(path) \(offset) \(bytes)"
    }
  }
}
