/// Which frames an allocation lacks, and reclaim takes back (Linux's `reclaim_idx`).
enum ReclaimZone {
  case any
  /// Those that a long-term pin may hold. Pages in movable frames stay: their frames would be of no use.
  case unmovable
}

/// What an allocation of a frame may do if none is free (Linux's GFP flags).
///
/// The caller chooses by what it holds. <doc:LockOrder> lists every allocation of the library.
enum AllocationMode {
  /// Nothing: the caller can do without (`GFP_NOWAIT`). It holds any lock but the allocator's, and is in no section.
  case noWait
  /// Frees deferred memory, and waits for the swap file's writer (`GFP_NOFS`). The caller may hold an mmap lock. It
  /// must be ready for `outOfMemory` although an object that waits for its release holds memory: objects are released
  /// under no lock.
  case underLock
  /// Releases objects and reclaims besides (`GFP_KERNEL`). The caller holds no lock of the library's. The thread may
  /// hold one all the same, as under a hook of a page cache. Then the thread's scope says so (`ReclaimScope`), and
  /// nothing is reclaimed.
  case mayReclaim
}
