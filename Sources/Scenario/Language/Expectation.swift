/// What a file says a statement comes to.
///
/// It is kept in the form in which results are printed, so bytes and numbers are compared by what they mean: `ff*2` is
/// `ffff`, and `0x10` is `16`. A result of no bytes at all (a read at a file's end) is expected by nothing after `=>`.
public struct Expectation: Equatable, Sendable, CustomStringConvertible {
  /// The expected RESULT.
  public var text: String

  public init(_ text: String) { self.text = text }

  /// Whether `outcome` is what was expected.
  public func matches(_ outcome: Outcome) -> Bool { text == outcome.description }

  public var description: String { text }
}
