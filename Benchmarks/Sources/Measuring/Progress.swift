import Glibc

/// One line on standard error that replaces itself. Silent where standard error is no terminal.
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

/// Writing to the process's standard streams.
public enum Standard {
  public static func error(_ text: String, terminator: String = "\n") {
    put(text + terminator, STDERR_FILENO)
  }

  /// Seen at once, also where the output is a pipe.
  public static func output(_ text: String) {
    put(text + "\n", STDOUT_FILENO)
  }

  private static func put(_ text: String, _ descriptor: Int32) {
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
      let written = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
      guard written > 0 else { return }
      rest = rest.dropFirst(written)
    }
  }
}
