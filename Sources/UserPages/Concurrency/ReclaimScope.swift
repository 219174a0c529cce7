import CPlatform

/// What the calling thread may do when no frame is free (Linux's `PF_MEMALLOC` and `PF_MEMALLOC_NOFS`).
///
/// Reclaim takes the locks of page caches and the mmap locks of spaces, and runs a cache's hooks and its store. A thread that holds one
/// of these locks must not reclaim, whatever code it runs under them. So the scope belongs to the thread, not to a call: a hook that
/// touches memory is bound by it, too.
enum ReclaimScope {
  /// Whether the thread may reclaim: it holds no lock that reclaim needs, and does not reclaim already.
  static var mayReclaim: Bool { cp_get_reclaim_refusals() == 0 && cp_get_reclaim_depth() == 0 }

  /// Whether the thread reclaims. Then it may allocate from the reserve: it gives back more than it takes.
  static var isReclaiming: Bool { cp_get_reclaim_depth() > 0 }

  /// Runs `body`, in which the thread holds a lock that reclaim needs (`memalloc_nofs_save`). Scopes nest.
  @inline(__always)
  static func withoutReclaim<Result, Failure: Error>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
    cp_add_reclaim_refusals(1)
    defer { cp_add_reclaim_refusals(-1) }
    return try body()
  }

  /// Runs `body`, which reclaims.
  static func reclaiming<Result, Failure: Error>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
    cp_add_reclaim_depth(1)
    defer { cp_add_reclaim_depth(-1) }
    return try body()
  }
}
