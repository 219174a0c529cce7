import CSQLite3
import Glibc
import Measuring

/// A connection to SQLite, used by one thread at a time.
final class Connection: @unchecked Sendable {
  // Sendable: used by one thread at a time.
  let handle: OpaquePointer

  /// Opens the database of a URI.
  init(_ uri: String) throws(Failure) {
    var handle: OpaquePointer?
    let flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX
    let code = sqlite3_open_v2(uri, &handle, flags, nil)
    guard code == SQLITE_OK, let handle else {
      sqlite3_close(handle)
      throw Failure("cannot open \(uri): \(String(cString: sqlite3_errstr(code)))")
    }
    self.handle = handle
    sqlite3_busy_timeout(handle, 60_000)
  }

  deinit { sqlite3_close_v2(handle) }

  /// What SQLite says about the last call.
  var problem: String { String(cString: sqlite3_errmsg(handle)) }

  /// Runs statements, and drops their rows.
  func run(_ sql: String) throws(Failure) {
    guard sqlite3_exec(handle, sql, nil, nil, nil) == SQLITE_OK else { throw Failure("\(sql): \(problem)") }
  }

  /// The number that a query gives.
  func number(_ sql: String) throws(Failure) -> Int {
    let statement = try Statement(self, sql)
    guard statement.step() == SQLITE_ROW else { throw Failure("\(sql): \(problem)") }
    return statement.column(0)
  }

  /// Registers the VFS of the extension that is built beside this program, for all connections of the process.
  static func loadExtension() throws(Failure) {
    guard let program = realpath("/proc/self/exe", nil) else { throw Failure("find", "/proc/self/exe", errno: errno) }
    defer { free(program) }
    let folder = String(cString: program).split(separator: "/").dropLast().joined(separator: "/")
    let library = "/\(folder)/libUserPagesSQLite.so"
    let connection = try Connection(":memory:")
    sqlite3_enable_load_extension(connection.handle, 1)
    var message: UnsafeMutablePointer<CChar>?
    defer { sqlite3_free(message) }
    guard sqlite3_load_extension(connection.handle, library, nil, &message) == SQLITE_OK else {
      throw Failure("cannot load \(library): \(message.map { String(cString: $0) } ?? connection.problem)")
    }
  }
}

/// A prepared statement. Its parameters are numbers.
final class Statement: @unchecked Sendable {
  // Sendable: used by the thread of its connection.
  private let connection: Connection
  private let handle: OpaquePointer

  init(_ connection: Connection, _ sql: String) throws(Failure) {
    var handle: OpaquePointer?
    let code = sqlite3_prepare_v3(
      connection.handle, sql, -1, UInt32(SQLITE_PREPARE_PERSISTENT), &handle, nil)
    guard code == SQLITE_OK, let handle else { throw Failure("\(sql): \(connection.problem)") }
    self.handle = handle
    self.connection = connection
  }

  deinit { sqlite3_finalize(handle) }

  @inline(__always)
  func bind(_ index: Int32, _ value: Int) { sqlite3_bind_int64(handle, index, Int64(value)) }

  @inline(__always)
  func step() -> Int32 { sqlite3_step(handle) }

  @inline(__always)
  func column(_ index: Int32) -> Int { Int(sqlite3_column_int64(handle, index)) }

  @inline(__always)
  @discardableResult
  func reset() -> Int32 { sqlite3_reset(handle) }

  /// Runs a statement that gives no row, to its end. Returns SQLite's result code.
  @inline(__always)
  func run() -> Int32 {
    let code = sqlite3_step(handle)
    sqlite3_reset(handle)
    return code == SQLITE_DONE || code == SQLITE_ROW ? SQLITE_OK : code
  }
}
