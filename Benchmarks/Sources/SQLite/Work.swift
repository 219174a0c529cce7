/// What the connections do. One unit is one transaction.
enum Work: String, CaseIterable, Codable, Sendable {
  /// One row by its number, in a transaction of its own.
  case points
  /// A hundred such rows in one transaction.
  case points100 = "points-100"
  /// Five hundred rows that follow each other.
  case scan
  /// TPC-B with a WAL: an account, a teller and a branch change, and history gets a row.
  case tpcb
  /// One row by its number, with a WAL and one connection that writes.
  case besideWriter = "beside-writer"

  static let rowsOfScan = 500
  static let pointsOfTransaction = 100
  /// Transactions a second of the one that writes: every subject's readers meet the same.
  static let writesPerSecond = 1000

  var usesWAL: Bool { self == .tpcb || self == .besideWriter }

  /// Whether it makes sense with this many connections.
  func can(_ connections: Int) -> Bool { self != .besideWriter || connections > 1 }
}
