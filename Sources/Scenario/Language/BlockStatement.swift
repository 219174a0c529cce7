/// Where a block of lines begins, divides or ends. It prints nothing.
public enum BlockStatement: Equatable, Sendable, CustomStringConvertible {
  /// The lines from here to `and`, and those from there to `end`, run on two threads that start together.
  case par
  case and
  /// The lines from here to `end` run that many times.
  case `repeat`(times: Int)
  case end

  public var description: String {
    switch self {
    case .par: "par"
    case .and: "and"
    case .repeat(let times): "repeat \(times)"
    case .end: "end"
    }
  }
}
