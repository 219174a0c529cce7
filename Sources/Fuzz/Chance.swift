import Scenario

/// Where Linux's answer hangs on configuration or chance, so that the library is free to answer otherwise.
///
/// This is the whole list. Each case says why, and what it excuses is as narrow as the reason.
public enum Chance: String, CaseIterable, Sendable {
  /// Nothing is listed so far.
  case none

  /// The reason to excuse a difference, where there is one.
  static func explaining(_ statement: Statement, library: String, kernel: String) -> Chance? { nil }
}
