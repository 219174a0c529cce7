import Foundation

/// A stream that gets whole lines at once, so that what was done stands there even if the next step never ends.
struct Output {
  static let standard = Output(handle: .standardOutput)
  static let error = Output(handle: .standardError)

  private let handle: FileHandle

  func line(_ text: String) {
    // A stream that cannot be written to is no reason to stop: the exit status still tells.
    try? handle.write(contentsOf: Data((text + "\n").utf8))
  }
}
