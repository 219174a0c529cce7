/// Takes, uses or releases pins and references.
public enum PinStatement: Equatable, Sendable, CustomStringConvertible {
  case pin(name: String, space: String, PageRange, Set<PinOption>)
  /// Plain references (FOLL_GET). The parser refuses `longterm`.
  case get(name: String, space: String, PageRange, Set<PinOption>)
  case release(name: String, dirty: Bool)
  case peek(name: String, offset: Int, count: Int)
  case poke(name: String, offset: Int, ByteString)

  public var description: String {
    switch self {
    case .pin(let name, let space, let range, let options): "pin \(name) \(space) \(range)" + words(options)
    case .get(let name, let space, let range, let options): "get \(name) \(space) \(range)" + words(options)
    case .release(let name, let dirty): "release \(name)" + (dirty ? " dirty" : "")
    case .peek(let name, let offset, let count): "peek \(name) \(offset) \(count)"
    case .poke(let name, let offset, let bytes): "poke \(name) \(offset) \(bytes)"
    }
  }

  private func words(_ options: Set<PinOption>) -> String {
    PinOption.allCases.filter(options.contains).map { " \($0.rawValue)" }.joined()
  }
}

/// An option of `pin` or `get`. Statements print options in the order of the cases.
public enum PinOption: String, CaseIterable, Sendable {
  case write
  case longTerm = "longterm"
  case force
  case fast
}
