import Glibc

/// A wrong answer of a backing, which a fault refused. The program got a bus error, and nothing else came of it.
public struct BackingDiagnostic: Sendable, CustomStringConvertible {
  /// What was wrong with the answer.
  public enum Reason: Sendable, Equatable {
    /// The frame belongs to another machine.
    case frameOfAnotherMachine
    /// The frame has no page with the index that was given.
    case noSuchPageOfFrame
    /// A pfn mapping counts no references, so it cannot show a frame that lives by them.
    case frameInPFNMapping
    /// No memory has the frame number.
    case noSuchFrame
    /// The frame number is that of a free frame, or of a page on its way to the swap file. Or it is that of a program's
    /// private memory, and the mapping counts references.
    case frameNotShared
    /// A private pfn mapping shows page n as the backing's first frame plus n. The frame number is another one.
    case frameOutOfOrder
    /// The backing said `retry` too often in a row.
    case endlessRetry
  }

  /// The backing that answered.
  public let backing: any AnyObject & Sendable
  /// The page that it was asked for.
  public let page: Int
  /// What was wrong.
  public let reason: Reason

  /// One line, without an end of line.
  public var description: String {
    "\(type(of: backing)) gave a wrong answer for page \(page): \(reason)"
  }
}

/// Where a machine's diagnostics go.
final class Diagnostics: Sendable {
  typealias Handler = @Sendable (BackingDiagnostic) -> Void

  private struct Slot {
    let call: Handler
  }

  private let slot = Guarded<Slot?>(nil)

  func set(_ handler: Handler?) {
    // The old handler is released after the lock: its end may run any code.
    let old = slot.withLock { slot in
      let old = slot
      slot = handler.map { Slot(call: $0) }
      return old
    }
    withExtendedLifetime(old) {}
  }

  /// Calls the handler, or prints to standard error. Not inside a read-side section, and holding no lock.
  func report(_ diagnostic: BackingDiagnostic) {
    if let handler = slot.withLock({ $0 }) { return handler.call(diagnostic) }
    // One write, so that the lines of two threads stay whole.
    var line = "user-pages: \(diagnostic)\n"
    _ = line.withUTF8 { write(STDERR_FILENO, $0.baseAddress, $0.count) }
  }
}

extension PhysicalMemory {
  /// Calls `handler` for each wrong answer of a backing, instead of printing a line to standard error. Nil prints
  /// again.
  ///
  /// `handler` runs on the faulting thread before its fault fails, under no lock and outside of read-side sections.
  /// Debug and release builds call it alike.
  public func onBackingDiagnostic(_ handler: (@Sendable (BackingDiagnostic) -> Void)?) {
    diagnostics.set(handler)
  }
}
