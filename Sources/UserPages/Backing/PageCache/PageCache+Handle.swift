/// `fsync(2)` by way of the cache, and what each of its users hears of errors.
extension PageCache {
  /// Returns when every store that came before the call is in the file, and would survive a loss of power (`fsync(2)`).
  ///
  /// - Throws: the error of a write or a sync since the last call, once. The pages concerned stay dirty: the next call
  ///   tries again. `busy` inside `willWriteBack`.
  public func sync() throws(PageError) {
    try syncAll()
    try report(to: position)
  }

  /// Throws the error since the last report to a user, if there was one.
  private func report(to position: Guarded<ErrorSequence.Position>) throws(PageError) {
    if let error = position.withLock({ position in errors.withLock { $0.report(since: &position) } }) { throw error }
  }

  /// A handle of its own, which gets each error once, whatever other handles got.
  public func open() -> Handle { Handle(self) }

  /// One user's view of the errors (a `struct file`).
  public final class Handle: Sendable {
    /// The cache.
    public let cache: PageCache
    private let position: Guarded<ErrorSequence.Position>

    fileprivate init(_ cache: PageCache) {
      self.cache = cache
      position = Guarded(cache.errors.withLock { $0.start })
    }

    /// As ``PageCache/sync()``, but reports errors to this handle.
    ///
    /// Another call on the handle, of another thread, may get the error instead. So each thread that syncs has its own.
    public func sync() throws(PageError) {
      try cache.syncAll()
      YieldPoint.syncBetweenWritesAndReport.reach()
      try check()
    }

    /// Reports the error of a write or a sync since the last report, and waits for nothing (`filemap_check_wb_err`):
    /// for a handle that flushes.
    ///
    /// - Throws: that error, once.
    public func check() throws(PageError) { try cache.report(to: position) }

    /// Leaves errors of writes up to now unreported, unless a sync has failed since the last report. For a user that
    /// begins, and knows that others answer for those pages.
    package func skipWriteErrors() {
      position.withLock { position in cache.errors.withLock { $0.skipWrites(since: &position) } }
    }
  }
}
