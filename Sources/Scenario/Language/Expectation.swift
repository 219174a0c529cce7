/// The result that a file expects of a statement.
///
/// The text has the form of printed results, so bytes and numbers are compared by value: `ff*2` is `ffff`, and `0x10` is
/// `16`. Nothing after `=>` expects a result of no bytes, as from a read at a file's end.
public struct Expectation: Equatable, Sendable, CustomStringConvertible {
  /// The expected RESULT.
  public var text: String

  public init(_ text: String) { self.text = text }

  /// Whether `outcome` is the expected one.
  public func matches(_ outcome: Outcome) -> Bool { text == outcome.description }

  public var description: String { text }
}
