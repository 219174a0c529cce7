/// What keeps the database's pages in memory.
enum Subject: String, CaseIterable, Codable, Sendable {
  /// This package's VFS, by the engine of a fetch.
  case userpagesSlot = "userpages-slot"
  case userpagesReference = "userpages-reference"
  case userpagesLocked = "userpages-locked"
  /// The same with `exclusive=1`: locks and the WAL's index stay in the process.
  case userpagesExclusive = "userpages-exclusive"
  /// Stock SQLite with a cache for each connection, all together as large as the pool.
  case stockTotal = "stock-total"
  /// Stock SQLite with a cache for each connection, each as large as the pool.
  case stockEach = "stock-each"
  /// Stock SQLite with `mmap_size`.
  case stockMap = "stock-mmap"
  /// The same, told that accesses are random (`MADV_RANDOM`): a fault reads one page.
  case stockMapRandom = "stock-mmap-random"
  /// Stock SQLite with one cache for all connections (`cache=shared`).
  case stockShared = "stock-shared"

  /// The cache of a connection that finds its pages elsewhere: for what it writes, and what is in the WAL.
  private static let smallCacheKiB = 80

  var usesExtension: Bool {
    switch self {
    case .userpagesSlot, .userpagesReference, .userpagesLocked, .userpagesExclusive: true
    default: false
    }
  }

  /// The URI of the database at `path`.
  func uri(_ path: String, poolMiB: Int) -> String {
    let pool = "file:\(path)?vfs=userpages&pool=\(poolMiB)M&engine="
    return switch self {
    case .userpagesSlot: pool + "slot"
    case .userpagesReference: pool + "reference"
    case .userpagesLocked: pool + "locked"
    case .userpagesExclusive: pool + "slot&exclusive=1"
    case .stockShared: "file:\(path)?cache=shared"
    case .stockTotal, .stockEach, .stockMap, .stockMapRandom: "file:\(path)"
    }
  }

  /// What a connection is told when it is opened.
  func settings(poolMiB: Int, connections: Int) -> String {
    let cacheKiB =
      switch self {
      case .stockTotal: max(poolMiB << 10 / connections, Self.smallCacheKiB)
      case .stockEach, .stockShared: poolMiB << 10
      default: Self.smallCacheKiB
      }
    let isMapped = usesExtension || self == .stockMap || self == .stockMapRandom
    return "PRAGMA cache_size=-\(cacheKiB); PRAGMA mmap_size=\(isMapped ? 1 << 40 : 0)"
  }
}
