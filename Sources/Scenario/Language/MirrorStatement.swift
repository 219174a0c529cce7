/// Makes or uses a mirror: translations that are kept without a pin.
public enum MirrorStatement: Equatable, Sendable, CustomStringConvertible {
  case mirror(name: String, space: String, PageRange, writes: Bool)
  case read(name: String, offset: Int, count: Int)
  case write(name: String, offset: Int, ByteString)
  case valid(name: String, page: Int)

  public var description: String {
    switch self {
    case .mirror(let name, let space, let range, let writes):
      "mirror \(name) \(space) \(range)" + (writes ? " write" : "")
    case .read(let name, let offset, let count): "mread \(name) \(offset) \(count)"
    case .write(let name, let offset, let bytes): "mwrite \(name) \(offset) \(bytes)"
    case .valid(let name, let page): "mvalid \(name) \(page)"
    }
  }
}
