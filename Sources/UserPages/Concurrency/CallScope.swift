import CPlatform

/// Which objects the calling thread calls out for: what it runs for one of them is refused where it would come back to
/// that object.
enum CallScope {
  private struct Call {
    let owner: ObjectIdentifier
    /// The call that it is made in.
    let outer: UnsafeMutableRawPointer?
  }

  /// Runs `body`, which calls out for `owner`. Scopes nest.
  static func calling<Result, Failure: Error>(
    for owner: AnyObject, _ body: () throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let outer = cp_get_store_call()
    defer { ReadyObjects.releaseLeft() }
    var call = Call(owner: ObjectIdentifier(owner), outer: outer)
    return try withUnsafeMutablePointer(to: &call) { (record) throws(Failure) in
      cp_set_store_call(record)
      defer { cp_set_store_call(outer) }
      return try body()
    }
  }

  /// Whether the thread is inside any call. Then it releases no object (`ReclaimScope.mayRelease`).
  static var isCalling: Bool { cp_get_store_call() != nil }

  /// Whether the thread is inside a call for `owner`.
  static func isCalling(for owner: AnyObject) -> Bool {
    var next = cp_get_store_call()
    while let call = next?.assumingMemoryBound(to: Call.self).pointee {
      if call.owner == ObjectIdentifier(owner) { return true }
      next = call.outer
    }
    return false
  }
}
