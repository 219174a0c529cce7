/// A change of a file that programs map, a look at where its pages are, or memory that runs short.
public enum FileStatement: Equatable, Sendable, CustomStringConvertible {
  case truncate(name: String, byteCount: Int)
  case punch(name: String, page: Int, pages: Int)
  case sync(name: String)
  case onDisk(name: String, offset: Int, count: Int)
  case cached(name: String)
  case reclaim(pages: Int)

  public var description: String {
    switch self {
    case .truncate(let name, let byteCount): "truncate \(name) \(byteCount)"
    case .punch(let name, let page, let pages): "punch \(name) \(page) \(pages)"
    case .sync(let name): "sync \(name)"
    case .onDisk(let name, let offset, let count): "ondisk \(name) \(offset) \(count)"
    case .cached(let name): "cached \(name)"
    case .reclaim(let pages): "reclaim \(pages)"
    }
  }
}
