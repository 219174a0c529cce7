/// The errors of write-back, each to be reported once to every handle that syncs (Linux's `errseq_t`).
///
/// An error that no handle has seen is reported to handles that are opened later, too: it must reach one.
struct ErrorSequence: Sendable {
  /// How far a handle has seen.
  struct Position: Equatable, Sendable { fileprivate var number: UInt64 = 0 }

  private var number: UInt64 = 0
  private var last: PageError?
  private var isSeen = true
  /// Whether a handle is at `number`, so that the next error needs another one.
  private var isTaken = true
  /// Of the last sync that failed.
  private var syncNumber: UInt64 = 0

  /// Where a handle that is opened now begins.
  var start: Position { Position(number: isSeen ? number : number - 1) }

  /// Notes an error. Errors that no handle has looked for in between count as one, and the last one is reported.
  mutating func note(_ error: PageError, isSync: Bool = false) {
    if isTaken { number += 1 }
    isTaken = false
    isSeen = false
    last = error
    if isSync { syncNumber = number }
  }

  /// The error since `position`, which moves to the present.
  mutating func report(since position: inout Position) -> PageError? {
    guard position.number != number else { return nil }
    position.number = number
    isTaken = true
    isSeen = true
    return last
  }

  /// Moves `position` to the present without a report, unless a sync has failed since. The errors are as unseen as
  /// before.
  mutating func skipWrites(since position: inout Position) {
    guard position.number != number, position.number >= syncNumber else { return }
    position.number = number
    isTaken = true
  }
}
