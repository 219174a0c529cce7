/// The answer to `PRAGMA userpages_stats`: one JSON object.
struct PoolStatistics: Equatable, Sendable {
  var engine: DatabaseOptions.Engine
  /// Open connections of the process.
  var connections: Int
  /// Pages that were lent without a copy.
  var fetches: Int
  /// Reads that were copied.
  var reads: Int
  /// Frames of 4096 bytes that had to be read from the file first.
  var misses: Int
  /// Pages that are lent now.
  var pins: Int
  var evictions: Int
  /// How often the pool forgot its pages, because another process had changed the file or might have.
  var invalidations: Int
  /// Frames of 4096 bytes that there may be, are there, and are not written.
  var limit: Int
  var resident: Int
  var dirty: Int
  /// RAM that the frames have from the kernel.
  var residentBytes: Int
  /// Whether transfers bypass the kernel's page cache.
  var isDirect: Bool

  /// Fetches and reads that found their page in memory. A read of a long page may have had several misses.
  var hits: Int { max(fetches + reads - misses, 0) }

  var json: String {
    let numbers = [
      ("connections", connections), ("hits", hits), ("misses", misses), ("fetches", fetches), ("reads", reads),
      ("pins", pins), ("evictions", evictions), ("invalidations", invalidations), ("limit_pages", limit),
      ("resident_pages", resident), ("dirty_pages", dirty), ("rss_bytes", residentBytes),
    ]
    let members = numbers.map { "\"\($0)\":\($1)" }.joined(separator: ",")
    return "{\"engine\":\"\(engine.rawValue)\",\"direct\":\(isDirect),\(members)}"
  }
}
