import CSQLite
import UserPages

/// What a database's URI asks for: `file:bank.db?vfs=userpages&pool=64M&engine=slot`.
///
/// `pool`, `engine` and `exclusive` of the connection that opens the file first hold for the process.
struct DatabaseOptions: Equatable, Sendable {
  /// How a fetch holds its page in memory.
  enum Engine: String, CaseIterable, Sendable {
    /// In a slot of the thread: no line is written that two threads share.
    case slot
    /// By the frame's counts.
    case reference
    /// By the counts, under one lock of the pool: what the others are compared with.
    case locked
  }

  static let defaultPoolBytes = 64 << 20
  static let leastPoolBytes = 256 << 10

  /// Bytes of the database in memory, for all connections of the process.
  var poolBytes = Self.defaultPoolBytes
  var engine = Engine.slot
  /// Whether nothing changes the file, so no lock says that it may be read (`immutable=1`).
  var isImmutable = false
  /// Whether other processes are refused (`SQLITE_BUSY`) as long as the pool is there.
  var isExclusive = false

  /// Whether the connection shares no pool with those that lock (`PoolIdentity`).
  var isApart: Bool { isImmutable && !isExclusive }

  init() {}

  /// The options in the URI of a file, by the name that `xOpen` got.
  ///
  /// - Throws: `InvalidOption` for a value that means nothing.
  init(ofFile name: UnsafePointer<CChar>) throws(InvalidOption) {
    func value(_ parameter: String) -> String? { csqlite_uri_parameter(name, parameter).map { String(cString: $0) } }
    if let text = value("pool") {
      guard let bytes = Self.byteCount(text), bytes >= Self.leastPoolBytes, bytes <= 1 << 43 else {
        throw InvalidOption(description: "pool=\(text): bytes are needed, at least 256K, as in pool=64M")
      }
      poolBytes = bytes
    }
    if let text = value("engine") {
      guard let engine = Engine(rawValue: text) else {
        let names = Engine.allCases.map(\.rawValue).joined(separator: ", ")
        throw InvalidOption(description: "engine=\(text): there are \(names)")
      }
      self.engine = engine
    }
    isImmutable = csqlite_uri_boolean(name, "immutable") != 0
    isExclusive = csqlite_uri_boolean(name, "exclusive") != 0
  }

  /// A number of bytes with K, M or G behind it, or nothing. Nil for anything else.
  static func byteCount(_ text: String) -> Int? {
    var digits = Substring(text)
    var unit = 1
    if let last = digits.last, let shift = ["K": 10, "M": 20, "G": 30][last.uppercased()] {
      unit = 1 << shift
      digits.removeLast()
    }
    guard digits.allSatisfy(\.isASCII), let number = Int(digits), number >= 0 else { return nil }
    let (bytes, overflows) = number.multipliedReportingOverflow(by: unit)
    return overflows ? nil : bytes
  }
}

/// A value of a URI's parameter that means nothing.
struct InvalidOption: Error, CustomStringConvertible {
  let description: String
}
