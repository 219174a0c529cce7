import Foundation
import Glibc
import Scenario

/// The file that a plot is written to. It is opened before the measurement, so that a path that takes no file is
/// reported at once and not after minutes.
final class PlotFile {
  /// A file that cannot be written.
  struct Failure: Error, CustomStringConvertible {
    let description: String
  }

  private let path: String
  private let descriptor: Int32

  /// Opens or makes the file at `path`. What it holds stays until the plot is written.
  ///
  /// - Throws: `Failure` with path and errno, or if `path` is the file at `source`, which the plot would overwrite.
  init(_ path: String, notOver source: String?) throws(Failure) {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0o666)
    guard descriptor >= 0 else { throw Failure(description: "cannot write \(path): \(SystemError.last)") }
    self.path = path
    self.descriptor = descriptor
    var target = stat()
    var other = stat()
    if let source, fstat(descriptor, &target) == 0, stat(source, &other) == 0, target.st_dev == other.st_dev,
      target.st_ino == other.st_ino
    {
      throw Failure(description: "cannot write \(path): it is the image")
    }
  }

  deinit { close(descriptor) }

  /// Replaces the file's contents by `text`.
  func write(_ text: String) throws(Failure) {
    var rest = Array(text.utf8)[...]
    // A pipe or a terminal cannot be truncated, and need not be.
    _ = ftruncate(descriptor, 0)
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw Failure(description: "cannot write \(path): \(SystemError.last)") }
      rest = rest.dropFirst(count)
    }
  }
}
