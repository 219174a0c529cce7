/// The errors of write-back, each to be reported once to every handle that syncs (Linux's `errseq_t`).
///
/// An error that no handle has seen is reported to handles that are opened later, too: it must reach one.
struct ErrorSequence: Sendable {
  /// How far a handle has seen.
  struct Position: Equatable, Sendable { fileprivate var number: UInt64 = 0 }

  private var number: UInt64 = 0
  private var last: PageError?
  private var isSeen = true

  /// Where a handle that is opened now begins.
  var start: Position { Position(number: isSeen ? number : number - 1) }

  /// Notes an error. Errors that no handle has looked for in between count as one, and the last one is reported.
  mutating func note(_ error: PageError) {
    if isSeen { number += 1 }
    isSeen = false
    last = error
  }

  /// The error since `position`, which moves to the present.
  mutating func report(since position: inout Position) -> PageError? {
    guard position.number != number else { return nil }
    position.number = number
    isSeen = true
    return last
  }
}
