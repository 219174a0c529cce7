import Foundation

/// One line on the terminal that says how far a run is. It writes nothing if standard error is no terminal.
final class TerminalLine {
  private let isTerminal = isatty(STDERR_FILENO) == 1
  private let clock = ContinuousClock()
  private var next: ContinuousClock.Instant
  private var isShown = false

  init() { next = clock.now }

  /// Replaces the line by `text`, at most five times a second.
  func show(_ text: @autoclosure () -> String) {
    guard isTerminal, clock.now >= next else { return }
    next = clock.now + .milliseconds(200)
    isShown = true
    Output.error.control("\r\(text())\u{1b}[K")
  }

  /// Removes the line, so that other output starts at the left.
  func clear() {
    guard isShown else { return }
    isShown = false
    Output.error.control("\r\u{1b}[K")
  }
}
