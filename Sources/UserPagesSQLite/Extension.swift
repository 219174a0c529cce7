import CSQLite

/// What SQLite calls when it loads the extension: registers the VFS `userpages`, once in a process.
///
/// - Parameters:
///   - database: the connection that loads the extension. Nothing is added to it.
///   - message: where an error's text goes.
///   - api: the table of SQLite's functions.
/// - Returns: `SQLITE_OK_LOAD_PERMANENTLY`, because other connections use the VFS after this one is closed.
@c(sqlite3_extension_init)
public func beginExtension(
  _ database: OpaquePointer?, _ message: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?,
  _ api: UnsafePointer<sqlite3_api_routines>?
) -> Int32 {
  guard let api else { return SQLITE_ERROR }
  csqlite_begin(api)
  let result = PoolVFS.register()
  return result == SQLITE_OK ? ResultCode.loadPermanently : result
}
