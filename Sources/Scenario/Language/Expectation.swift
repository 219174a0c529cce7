/// The result that a file expects of a statement.
///
/// The text has the form of printed results, so bytes and numbers are compared by value: `ff*2` is `ffff`, and `0x10`
/// is `16`. Alternatives stand between `or`. Nothing after `=>` expects a result of no bytes, as from a read at a
/// file's end.
public struct Expectation: Equatable, Sendable, CustomStringConvertible {
  /// The expected RESULTs. One is enough.
  public var alternatives: [String]

  public init(_ text: String) { alternatives = [text] }

  public init(alternatives: [String]) { self.alternatives = alternatives }

  /// The alternatives as a file has them.
  public var text: String { alternatives.joined(separator: " or ") }

  /// Whether `outcome` is an expected one.
  public func matches(_ outcome: Outcome) -> Bool { alternatives.contains(outcome.description) }

  public var description: String { text }
}
