/// What a mapping shows, page by page.
///
/// A fault asks it for a page and gets one of two kinds of answer: a frame that has a descriptor (Linux's old `nopage`), or
/// a frame number with none behind it (`nopfn`).
public protocol Backing: AnyObject, Sendable {
  /// Pages that there are; a fault beyond is a bus error.
  var pageCount: Int { get }

  /// Answers a fault on `page`, counted from the backing's start.
  ///
  /// Called on the faulting thread, which holds no lock and is not inside a read-side section, so the backing may wait
  /// and allocate. It may be called more often than a page is installed: the fault may lose a race.
  ///
  /// - Parameter write: whether the program is about to write through a *shared* mapping; for a private one it is false.
  func fault(page: Int, write: Bool) -> FaultAnswer
}

/// A backing's answer to a fault.
public enum FaultAnswer: Sendable {
  /// A frame with a descriptor. The backing has taken a reference for the mapping.
  case frame(PFN)
  /// A frame number. No reference is taken, whatever is behind it. `writable`: whether stores through a shared mapping may
  /// go there.
  case frameNumber(PFN, writable: Bool)
  /// There is no such page: the program gets `SIGBUS`.
  case busError
  case outOfMemory
  /// Something changed: fault again.
  case retry
}
