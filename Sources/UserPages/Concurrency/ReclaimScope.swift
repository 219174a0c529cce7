import CPlatform

/// What the calling thread may do for memory, by what it holds (Linux's `PF_MEMALLOC` and `PF_MEMALLOC_NOFS`).
///
/// Reclaim takes the locks of page caches and the mmap locks of spaces, and runs a cache's hooks and its store. A
/// thread that holds one of these locks must not reclaim, whatever code it runs under them. So the scope belongs to the
/// thread, not to a call: a hook that touches memory is bound by it, too.
///
/// Nor does such a thread release objects: their ends are users' code. An end that syncs this very cache would be
/// refused, and what it had to write would be lost without a report. An end that syncs another cache could wait for
/// ever:
///
/// 1. A thread is in a hook of cache A, another one in a hook of cache B.
/// 2. Each releases an object.
/// 3. The first object's end syncs B and waits for the second thread. The second object's end syncs A and waits for the
///    first.
///
/// What such a thread leaves ready it releases at the end of its outermost scope (`ReadyObjects`).
enum ReclaimScope {
  /// Whether the thread may reclaim: it holds no lock that reclaim needs, and does not reclaim already.
  static var mayReclaim: Bool { cp_get_reclaim_refusals() == 0 && cp_get_reclaim_depth() == 0 }

  /// Whether the thread reclaims. Then it may allocate from the reserve: it gives back more than it takes.
  static var isReclaiming: Bool { cp_get_reclaim_depth() > 0 }

  /// Whether the thread may run the ends of users' objects: if it may reclaim, and is in no call of a store.
  static var mayRelease: Bool { mayReclaim && !CallScope.isCalling }

  /// Runs `body`, in which the thread holds a lock that reclaim needs (`memalloc_nofs_save`). Scopes nest.
  ///
  /// The outermost scope's end releases what the thread has left ready. So `body` gives the lock up, and not its
  /// caller.
  @inline(__always)
  static func withoutReclaim<Result, Failure: Error>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
    cp_add_reclaim_refusals(1)
    defer {
      cp_add_reclaim_refusals(-1)
      ReadyObjects.releaseLeft()
    }
    return try body()
  }

  /// Runs `body`, the life of a thread that another one waits for, and that therefore neither reclaims nor releases an
  /// object. Other threads release what it leaves ready.
  static func leavingObjectsToOthers(_ body: () -> Void) {
    cp_add_reclaim_refusals(1)
    defer {
      ReadyObjects.forgetLeft()
      cp_add_reclaim_refusals(-1)
    }
    body()
  }

  /// Runs `body`, which reclaims, under the lock that lets one thread at a time reclaim.
  static func reclaiming<Result, Failure: Error>(
    _ lock: borrowing OwnedLock.Held, _ body: () throws(Failure) -> Result
  ) throws(Failure) -> Result {
    cp_add_reclaim_depth(1)
    defer { cp_add_reclaim_depth(-1) }
    return try body()
  }
}
