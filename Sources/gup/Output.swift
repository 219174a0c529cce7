import Foundation
import Scenario

/// A stream that gets whole lines at once. If the next step never ends, the lines of the earlier steps are there.
struct Output {
  static let standard = Output(handle: .standardOutput)
  static let error = Output(handle: .standardError)

  private let handle: FileHandle

  /// Writes one or more lines. Control characters in `text` are escaped, because files and paths may hold them.
  func line(_ text: String) {
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    control(lines.map { String($0).escapingControlCharacters + "\n" }.joined())
  }

  /// Writes text that moves the terminal's cursor.
  func control(_ text: String) {
    // A stream that cannot be written to does not stop the work. The exit status still tells the outcome.
    try? handle.write(contentsOf: Data(text.utf8))
  }
}
