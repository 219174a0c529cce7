import CPlatform
import Synchronization

/// Objects of a queue after their grace period, and the rounds in which threads release them.
///
/// To release an object runs its user's code: a `deinit`, or a closure given to `RCU.deferFree`. That code may call any
/// operation of the library. So it runs under no lock of the library's, in no section, and never waits for itself:
///
///     a drain                          the list                     a thread that releases
///     appends, under its drain lock -> ready
///                                      ready -------------------->  takes all of them as round n
///                                      under way: n                 releases each, holding nothing
///                                                                   a drain that an object starts appends here
///                                      none under way <-----------  ends round n, wakes waiting threads
///                                      ready -------------------->  takes what was appended as round n + 1 ...
///
/// A thread inside a round, of this list or of another, never waits for a round. Each wait leads from a thread outside
/// of all rounds to a thread inside one, so waits form no cycle.
///
/// A thread in a scope (`ReclaimScope.mayRelease`) begins no round and waits for none. What runs in a round may wait
/// for that scope's lock:
///
///     in a scope                                   a round, on any thread
///     finds objects ready, notes the list
///     leaves the outermost scope
///     takes what is still ready  ---------------->  releases each, holding nothing
final class ReadyObjects: @unchecked Sendable {
  private let monitor = Monitor()
  // Written under the monitor. A read without the monitor gets a hint.
  private let hasReady = Atomic<Bool>(false)
  // All below: guarded by `monitor`.
  private var ready: [DeferredWord] = []
  private var roundsUnderWay: [UInt64] = []
  private var lastRound: UInt64 = 0

  deinit { precondition(ready.isEmpty, "a queue of deferred frees was dropped with objects that wait for release") }

  /// Whether an object waits for release at this moment. One relaxed load.
  var isAnyReady: Bool { hasReady.load(ordering: .relaxed) }

  /// Whether a thread is releasing objects at this moment.
  var isAnyUnderWay: Bool { monitor.locked { !roundsUnderWay.isEmpty } }

  /// Adds objects after their grace period. Runs nothing.
  func append(_ words: [DeferredWord]) {
    if words.isEmpty { return }
    monitor.locked {
      ready += words
      hasReady.store(true, ordering: .relaxed)
    }
  }

  /// Releases what is ready, and what becomes ready meanwhile. Returns whether there was something.
  ///
  /// Inside a round of this list it does nothing: that round releases the rest when the present object is done. So the
  /// depth of calls does not grow with the number of objects. In a scope it does nothing either: the scope's end does
  /// it.
  ///
  /// - Precondition: the caller holds no lock of the library's and is not inside a section.
  @discardableResult
  func releaseAll() -> Bool {
    guard isAnyReady, !isInRoundOfThisList else { return false }
    guard ReclaimScope.mayRelease else {
      noteLeft()
      return false
    }
    guard var taken = take(ending: nil) else { return false }
    var scope = cp_release_scope(list: identity, outer: cp_innermost_release())
    withUnsafeMutablePointer(to: &scope) { scope in
      cp_set_innermost_release(scope)
      while true {
        for word in taken.words { word.release() }
        guard let next = take(ending: taken.round) else { break }
        taken = next
      }
      cp_set_innermost_release(scope.pointee.outer)
    }
    return true
  }

  /// Waits until the rounds that are under way have ended. If the calling thread is in a round itself, or in a scope,
  /// it does not wait.
  func waitForRoundsUnderWay() {
    if cp_innermost_release() != nil || !ReclaimScope.mayRelease { return }
    monitor.locked {
      let last = lastRound
      while roundsUnderWay.contains(where: { $0 <= last }) { monitor.wait() }
    }
  }

  // MARK: The end of a scope

  /// One of the lists that the thread has left: a chain, which the thread holds.
  private final class Left {
    let list: ReadyObjects
    let next: Left?

    init(_ list: ReadyObjects, next: Left?) {
      self.list = list
      self.next = next
    }

    /// The thread's chain, which is empty afterwards.
    static func take() -> Left? {
      guard let head = cp_get_left_objects() else { return nil }
      cp_set_left_objects(nil)
      return Unmanaged<Left>.fromOpaque(head).takeRetainedValue()
    }
  }

  /// Notes that the thread leaves objects of this list ready, once.
  private func noteLeft() {
    let chain = Left.take()
    var one = chain
    while let left = one, left.list !== self { one = left.next }
    let head = one == nil ? Left(self, next: chain) : chain
    cp_set_left_objects(head.map { Unmanaged.passRetained($0).toOpaque() })
  }

  /// Releases what the thread has left ready, if it has left its outermost scope. One load if that is nothing.
  @inline(__always)
  static func releaseLeft() { if cp_get_left_objects() != nil { releaseLeftLists() } }

  @inline(never)
  private static func releaseLeftLists() {
    guard ReclaimScope.mayRelease, !RCU.isReading else { return }
    var one = Left.take()
    while let left = one {
      left.list.releaseAll()
      one = left.next
    }
  }

  /// Forgets what the thread has left ready: the next operation of another thread finds it.
  static func forgetLeft() { _ = Left.take() }

  // MARK: Rounds

  /// Ends a round, if one is given, and begins the next with all that is ready. Returns nil if nothing is.
  private func take(ending round: UInt64?) -> (words: [DeferredWord], round: UInt64)? {
    monitor.locked {
      if let round {
        roundsUnderWay.removeAll { $0 == round }
        monitor.wakeAll()
      }
      if ready.isEmpty { return nil }
      defer {
        ready = []
        hasReady.store(false, ordering: .relaxed)
      }
      lastRound += 1
      roundsUnderWay.append(lastRound)
      return (ready, lastRound)
    }
  }

  private var identity: UnsafeRawPointer { UnsafeRawPointer(Unmanaged.passUnretained(self).toOpaque()) }

  private var isInRoundOfThisList: Bool {
    var scope = cp_innermost_release()
    while let inner = scope {
      if inner.pointee.list == identity { return true }
      scope = inner.pointee.outer
    }
    return false
  }
}
