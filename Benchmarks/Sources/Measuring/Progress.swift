import Glibc

/// One line on standard error that replaces itself. Silent if standard error is no terminal.
public struct Progress: Sendable {
  private let isTerminal = isatty(STDERR_FILENO) == 1

  public init() {}

  public func show(_ text: String) {
    if isTerminal { Standard.error("\r\u{1b}[K" + text, terminator: "") }
  }

  public func clear() {
    if isTerminal { Standard.error("\r\u{1b}[K", terminator: "") }
  }
}
