import Foundation
import Scenario

/// The folder of `--keep`.
final class DifferenceFolder {
  /// A folder that cannot be used.
  struct Failure: Error, CustomStringConvertible {
    let path: String
    let error: SystemError

    var description: String { "cannot write \(path): \(error)" }
  }

  private let path: String
  private var hasFailed = false

  /// Makes the folder, with those above it, and tries to write a file there.
  init(_ path: String) throws(Failure) {
    self.path = path
    var folder = path.hasPrefix("/") ? "/" : ""
    for name in path.split(separator: "/") {
      folder += "\(name)/"
      guard mkdir(folder, 0o777) == 0 || errno == EEXIST else { throw Failure(path: folder, error: .last) }
    }
    try put("", in: "current.gup")
  }

  /// Replaces the file `name` by `text`. A failure ends no run, but the first one is reported.
  func write(_ text: String, to name: String) {
    do throws(Failure) {
      try put(text, in: name)
    } catch {
      if !hasFailed { Output.error.line("gup fuzz: \(error)") }
      hasFailed = true
    }
  }

  private func put(_ text: String, in name: String) throws(Failure) {
    let file = "\(path)/\(name)"
    let descriptor = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw Failure(path: file, error: .last) }
    defer { close(descriptor) }
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw Failure(path: file, error: .last) }
      rest = rest.dropFirst(count)
    }
  }
}
