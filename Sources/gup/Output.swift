import Foundation
import Scenario
import Synchronization

/// A stream that gets whole lines at once. If the next step never ends, the lines of the earlier steps are there.
final class Output: Sendable {
  static let standard = Output(descriptor: STDOUT_FILENO)
  static let error = Output(descriptor: STDERR_FILENO)

  private let descriptor: Int32
  private let failure = Mutex<SystemError?>(nil)

  private init(descriptor: Int32) { self.descriptor = descriptor }

  /// The error of the first write that failed. If the report did not arrive, the program must not end with status 0.
  var firstFailure: SystemError? { failure.withLock { $0 } }

  /// Writes one or more lines. Control characters in `text` are escaped, because files and paths may hold them.
  func line(_ text: String) {
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    control(lines.map { String($0).escapingControlCharacters + "\n" }.joined())
  }

  /// Writes text that moves the terminal's cursor.
  func control(_ text: String) {
    // A stream that cannot be written to does not stop the work: what the work leaves in files is still wanted.
    try? write(Array(text.utf8))
  }

  /// Writes bytes as they are.
  func write(_ bytes: [UInt8]) throws(SystemError) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else {
        let error = count < 0 ? SystemError.last : SystemError(code: EIO)
        failure.withLock { first in if first == nil { first = error } }
        throw error
      }
      rest = rest.dropFirst(count)
    }
  }
}
