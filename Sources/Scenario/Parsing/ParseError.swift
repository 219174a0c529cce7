/// Why a scenario cannot be run at all.
public struct ParseError: Error, Equatable, Sendable, CustomStringConvertible {
  public var path: String
  /// The line at fault; nil where the file itself cannot be read.
  public var line: Int?
  public var message: String

  public init(path: String, line: Int?, message: String) {
    self.path = path
    self.line = line
    self.message = message
  }

  /// `FILE:LINE: error: MESSAGE`.
  public var description: String {
    if let line { "\(path):\(line): error: \(message)" } else { "\(path): error: \(message)" }
  }
}

/// Every line of a file that is wrong.
public struct ParseFailure: Error, Equatable, Sendable {
  public var errors: [ParseError]

  public init(_ errors: [ParseError]) { self.errors = errors }
}

/// What is wrong with one line, before it is known which line of which file it is.
struct LineError: Error, Equatable {
  var message: String

  init(_ message: String) { self.message = message }
}
