/// A scenario that cannot be run: the line at fault and the reason.
public struct ParseError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The path of the scenario.
  public var path: String
  /// The line at fault. Nil if the file itself cannot be read.
  public var line: Int?
  /// What is wrong, with the words of the file as they are written there.
  public var message: String

  public init(path: String, line: Int?, message: String) {
    self.path = path
    self.line = line
    self.message = message
  }

  /// `FILE:LINE: error: MESSAGE`, without control characters.
  public var description: String {
    let place = line.map { "\(path):\($0)" } ?? path
    return "\(place): error: \(message)".escapingControlCharacters
  }
}

/// All wrong lines of a file.
public struct ParseFailure: Error, Equatable, Sendable {
  public var errors: [ParseError]

  public init(_ errors: [ParseError]) { self.errors = errors }
}

/// What is wrong with one line. The parser adds the file and the line's number.
struct LineError: Error, Equatable {
  var message: String

  init(_ message: String) { self.message = message }
}
