import UserPages

/// The result of a statement that ran.
public enum Outcome: Equatable, Sendable, CustomStringConvertible {
  case ok
  case failed(PageError)
  case bytes([UInt8])
  case number(Int)
  case words(String)

  /// The RESULT as reports print it.
  public var description: String {
    switch self {
    case .ok: "ok"
    case .failed(let error): error.name
    case .bytes(let bytes): ByteString.result(bytes)
    case .number(let number): String(number)
    case .words(let text): text
    }
  }
}
