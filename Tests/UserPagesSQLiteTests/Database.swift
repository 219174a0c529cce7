import CSQLite
import Foundation
import TestSupport
import Testing
import UserPagesSQLite

/// A connection to SQLite in this process, over the VFS or the default one.
final class Database: @unchecked Sendable {
  /// What a statement came to: its rows as text, and SQLite's extended result code, 0 for success.
  struct Answer: Equatable, CustomStringConvertible {
    var rows: [[String?]] = []
    var code: Int32 = SQLITE_OK

    var description: String {
      let lines = rows.prefix(20).map { $0.map { $0 ?? "NULL" }.joined(separator: "|") }
      return "code \(code): " + lines.joined(separator: "; ") + (rows.count > 20 ? " ... \(rows.count) rows" : "")
    }

    /// The first column of the first row.
    var value: String? { rows.first?.first ?? nil }
  }

  /// A statement that failed.
  struct Failure: Error, CustomStringConvertible {
    let sql: String
    let code: Int32
    let message: String
    var description: String { "\(sql): \(message) (\(code))" }
  }

  /// Registers the VFS, as SQLite does when it loads the extension.
  static let registration: Int32 = {
    let begin:
      @convention(c) (
        OpaquePointer?, UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?,
        UnsafePointer<sqlite3_api_routines>?
      ) -> Int32 = { database, message, api in
        // An automatic extension says OK, a loaded one that it stays.
        beginExtension(database, message, api) == SQLITE_OK | 1 << 8 ? SQLITE_OK : SQLITE_ERROR
      }
    let opaque = unsafeBitCast(begin, to: (@convention(c) () -> Void).self)
    sqlite3_auto_extension(opaque)
    defer { sqlite3_cancel_auto_extension(opaque) }
    var database: OpaquePointer?
    defer { sqlite3_close(database) }
    return sqlite3_open(":memory:", &database)
  }()

  let handle: OpaquePointer

  /// Opens the file at `path`.
  ///
  /// - Parameters:
  ///   - parameters: of the URI, as `pool=1M`; nil for the default VFS.
  ///   - vfs: the VFS if there are parameters.
  init(
    _ path: String, _ parameters: String? = "", vfs: String = "userpages",
    flags: Int32 = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
  ) throws {
    try #require(Self.registration == SQLITE_OK)
    let uri = parameters.map { "file:\(path)?vfs=\(vfs)" + ($0.isEmpty ? "" : "&\($0)") } ?? "file:\(path)"
    var handle: OpaquePointer?
    let code = sqlite3_open_v2(uri, &handle, flags | SQLITE_OPEN_URI | SQLITE_OPEN_FULLMUTEX, nil)
    guard code == SQLITE_OK, let handle else {
      sqlite3_close(handle)
      throw Failure(sql: "open \(uri)", code: code, message: String(cString: sqlite3_errstr(code)))
    }
    self.handle = handle
    sqlite3_extended_result_codes(handle, 1)
    sqlite3_busy_timeout(handle, 10_000)
  }

  deinit { sqlite3_close_v2(handle) }

  /// How long a statement waits for a lock.
  func setTimeout(milliseconds: Int32) { sqlite3_busy_timeout(handle, milliseconds) }

  /// Runs statements, and returns the rows of all up to the first error.
  func answer(_ sql: String) -> Answer {
    var answer = Answer()
    sql.withCString { start in
      var rest: UnsafePointer<CChar>? = start
      while let text = rest, text.pointee != 0, answer.code == SQLITE_OK {
        var statement: OpaquePointer?
        answer.code = sqlite3_prepare_v2(handle, text, -1, &statement, &rest)
        guard let statement else { continue }
        while true {
          let step = sqlite3_step(statement)
          guard step == SQLITE_ROW else {
            answer.code = step == SQLITE_DONE ? SQLITE_OK : step
            break
          }
          answer.rows.append((0..<sqlite3_column_count(statement)).map { Self.text(statement, $0) })
        }
        sqlite3_finalize(statement)
      }
    }
    return answer
  }

  private static func text(_ statement: OpaquePointer, _ column: Int32) -> String? {
    sqlite3_column_text(statement, column).map { String(cString: $0) }
  }

  /// Runs statements that must succeed.
  @discardableResult
  func run(_ sql: String) throws -> [[String?]] {
    let answer = answer(sql)
    guard answer.code == SQLITE_OK else {
      throw Failure(sql: sql, code: answer.code, message: String(cString: sqlite3_errmsg(handle)))
    }
    return answer.rows
  }

  /// The number that a query gives.
  func number(_ sql: String) throws -> Int {
    let text = try #require(try run(sql).first?.first ?? nil)
    return try #require(Int(text))
  }

  /// One number of `PRAGMA userpages_stats`.
  func statistic(_ name: String) throws -> Int {
    let text = try #require(try run("PRAGMA userpages_stats").first?.first ?? nil)
    let object = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    return try #require(object[name] as? Int, "\(name) in \(text)")
  }

  /// All that is in the database: the schema, and every row of every table.
  func dump() throws -> [[String?]] {
    let schema = try run("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name")
    let tables = schema.filter { $0[0] == "table" }.compactMap { $0[1] }
    return try schema + tables.flatMap { try run("SELECT '\($0)', rowid, * FROM \"\($0)\" ORDER BY rowid") }
  }

  /// That SQLite finds nothing wrong with the file.
  func expectIntact(_ location: SourceLocation = #_sourceLocation) throws {
    #expect(try run("PRAGMA integrity_check") == [["ok"]], sourceLocation: location)
  }
}

/// The number of random SQL programs: `GUP_SQL_PROGRAMS`, or enough for a few seconds.
enum SQLPrograms {
  static let count = TestEnvironment.number("GUP_SQL_PROGRAMS", in: 1...1_000_000, default: 16)
}

/// How often a process is killed: `GUP_SQL_KILLS`.
enum SQLKills {
  static let count = TestEnvironment.number("GUP_SQL_KILLS", in: 1...1_000_000, default: 4)
}

/// How often the power fails: `GUP_SQL_POWER_FAILURES`.
enum SQLPowerFailures {
  static let count = TestEnvironment.number("GUP_SQL_POWER_FAILURES", in: 1...1_000_000, default: 32)
}
