import CPlatform
import Synchronization

/// Sections that a grace period waits for too long. A section that never ends stops every operation that waits for a
/// grace period, and no memory is freed any more. The report names the thread.
extension RCU {
  /// A section that a grace period has waited for longer than ``longSectionLimit``.
  public struct LongSection: Sendable, Equatable, CustomStringConvertible {
    /// The number that the kernel gives the thread (`gettid`), as debuggers and `ps -T` show it.
    public let thread: Int
    /// How long the grace period has waited at least.
    public let waited: Duration

    /// One line, without an end of line.
    public var description: String { "thread \(thread) is in a read-side section, waited for since \(waited)" }
  }

  /// How long a grace period waits for a section before the section is reported. 10 s at first. Nil reports none.
  ///
  /// The library watches grace periods on a thread of its own. It starts the thread when one begins, and ends it when
  /// none has begun for a quarter of the limit. So a report comes at most a quarter of the limit late, or 1 ms if that
  /// is more. Neither sections nor grace periods read a clock. Any thread may change it at any time, also for a section
  /// that is waited for already.
  ///
  /// - Precondition: a limit is above zero.
  public static var longSectionLimit: Duration? {
    get {
      let nanoseconds = cp_long_section_limit()
      return nanoseconds == 0 ? nil : .nanoseconds(Int64(nanoseconds))
    }
    set {
      precondition(newValue.map { $0 > .zero } ?? true, "a limit is above zero")
      cp_set_long_section_limit(newValue.map(nanoseconds) ?? 0)
    }
  }

  /// Calls `handler` once for each section that a grace period has waited for longer than ``longSectionLimit``, instead
  /// of printing the thread's number to standard error. Nil prints again.
  ///
  /// `handler` runs on the watching thread, under no lock and outside of read-side sections. Other reports wait until
  /// it returns. An operation that waits for a grace period would wait for the section that is reported. A section is
  /// known if it was entered through the library.
  public static func onLongSection(_ handler: (@Sendable (LongSection) -> Void)?) {
    // The old handler is released after the lock: its end may run any code.
    let old = longSectionHandler.withLock { slot in
      let old = slot
      slot = handler.map { LongSectionHandler(call: $0) }
      return old
    }
    withExtendedLifetime(old) {}
    guard handler != nil else { return cp_on_long_section(nil) }
    cp_on_long_section { thread, nanoseconds in
      // If the handler was taken back meanwhile, the line is printed.
      guard let handler = RCU.longSectionHandler.withLock({ $0 }) else { return 0 }
      handler.call(LongSection(thread: Int(thread), waited: .nanoseconds(Int64(nanoseconds))))
      return 1
    }
  }

  private struct LongSectionHandler {
    let call: @Sendable (LongSection) -> Void
  }

  private static let longSectionHandler = Guarded<LongSectionHandler?>(nil)

  /// A limit beyond 292 years is 292 years.
  private static func nanoseconds(_ duration: Duration) -> UInt64 {
    let (seconds, attoseconds) = duration.components
    guard seconds < Int64.max / 1_000_000_000 else { return UInt64(Int64.max) }
    return max(1, UInt64(seconds) * 1_000_000_000 + UInt64(attoseconds) / 1_000_000_000)
  }
}
