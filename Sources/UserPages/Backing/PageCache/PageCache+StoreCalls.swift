/// Calls of the store, which run a user's code under the cache's locks.
///
/// If that code came back to the cache, its thread could wait for itself, or for a thread that waits for it. It would
/// wait for the content lock, which a truncation holds or waits for, or for the page that it is to read. So a thread
/// inside a call is refused where it would wait. The reader, which calls the store too, stands for the cache. A store
/// may use other caches. Their stores may use others again.
extension PageCache {
  /// Runs `body`, which calls the store.
  func callingStore<Result, Failure: Error>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
    try CallScope.calling(for: reader, body)
  }

  /// Whether the thread is inside a call of this cache's store.
  var isInsideStoreCall: Bool { CallScope.isCalling(for: reader) }

  /// Throws `busy` inside a call of the store.
  func requireNoStoreCall() throws(PageError) { if isInsideStoreCall { throw .busy } }
}
