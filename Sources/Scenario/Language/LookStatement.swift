/// A look at the state of the machine, or the migration of an image's page.
public enum LookStatement: Equatable, Sendable, CustomStringConvertible {
  case entry(space: String, address: UInt64)
  case frame(space: String, address: UInt64)
  case counters(space: String)
  case free
  case migrate(name: String, page: Int, MigrationTarget)
  case dataCache(name: String)

  public var description: String {
    switch self {
    case .entry(let space, let address): "entry \(space) \(addressText(address))"
    case .frame(let space, let address): "frame \(space) \(addressText(address))"
    case .counters(let space): "counters \(space)"
    case .free: "free"
    case .migrate(let name, let page, let target): "migrate \(name) \(page) \(target.rawValue)"
    case .dataCache(let name): "dcache \(name)"
    }
  }
}

/// The target of `migrate`.
public enum MigrationTarget: String, CaseIterable, Sendable {
  case cache
  case image
}
