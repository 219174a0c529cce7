import CSQLite
import UserPages

/// `xFileControl`: what the pool must know of, and `PRAGMA userpages_stats`.
extension Connection {
  mutating func control(_ code: Int32, _ argument: UnsafeMutableRawPointer?) -> Int32 {
    switch code {
    case SQLITE_FCNTL_MMAP_SIZE: return setFetchLimit(argument)
    case SQLITE_FCNTL_SYNC:
      // Sent with `synchronous=OFF` too: what is committed outlives the process.
      let flushed = flush()
      return flushed == SQLITE_OK ? inner.control(code, argument) : flushed
    case SQLITE_FCNTL_CKPT_DONE:
      // SQLite ignores the result. An error is for the cut or the sync that follows.
      try? pool.cache.flush(0..<Int.max)
      return inner.control(code, argument)
    case SQLITE_FCNTL_CHUNK_SIZE:
      if let argument { chunkSize = Int64(argument.load(as: Int32.self)) }
      return inner.control(code, argument)
    case SQLITE_FCNTL_SIZE_HINT:
      let result = inner.control(code, argument)
      return result == SQLITE_OK ? growToFile() : result
    case SQLITE_FCNTL_PRAGMA: return pragma(argument)
    case SQLITE_FCNTL_VFSNAME:
      let result = inner.control(code, argument)
      if let name = argument?.assumingMemoryBound(to: UnsafeMutablePointer<CChar>?.self) {
        name.pointee = csqlite_stacked_name(PoolVFS.name, result == SQLITE_OK ? name.pointee : nil)
      }
      return SQLITE_OK
    default: return inner.control(code, argument)
    }
  }

  /// Sets the limit and gives the one before. A negative value changes nothing.
  private mutating func setFetchLimit(_ argument: UnsafeMutableRawPointer?) -> Int32 {
    guard let argument = argument?.assumingMemoryBound(to: Int64.self) else { return SQLITE_MISUSE }
    let wanted = min(argument.pointee, mostFetched)
    argument.pointee = fetchLimit
    if wanted >= 0, lent.count == 0 { fetchLimit = wanted }
    return SQLITE_OK
  }

  /// `PRAGMA userpages_stats`. SQLite passes its result, the name and the value as three strings, and frees the result.
  private func pragma(_ argument: UnsafeMutableRawPointer?) -> Int32 {
    guard let words = argument?.assumingMemoryBound(to: UnsafeMutablePointer<CChar>?.self), let name = words[1],
      String(cString: name).lowercased() == "userpages_stats"
    else { return inner.control(SQLITE_FCNTL_PRAGMA, argument) }
    words[0] = csqlite_copy(pool.statistics.json)
    return words[0] == nil ? SQLITE_NOMEM : SQLITE_OK
  }
}
