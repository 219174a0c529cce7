import Glibc

/// The process's standard streams. One that was closed when the program began cannot be written, and no file gets its
/// descriptor: see `open_standard_streams`.
public enum Standard {
  /// A message that cannot be written is dropped: there is no other stream to say so.
  public static func error(_ text: String, terminator: String = "\n") {
    do { try write(Array((text + terminator).utf8), to: STDERR_FILENO, name: "standard error") } catch {}
  }

  /// Seen at once, also if the output is a pipe.
  public static func output(_ text: String) throws(Failure) {
    try write(Array((text + "\n").utf8), to: STDOUT_FILENO, name: "standard output")
  }

  static func write(_ bytes: [UInt8], to descriptor: Int32, name: String) throws(Failure) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let written = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if written < 0 && errno == EAGAIN {
        // A pipe with a slow reader. It was opened so as not to wait for a reader that never comes.
        var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        poll(&waiting, 1, -1)
        continue
      }
      if written < 0 && errno == EINTR { continue }
      if written <= 0 { throw Failure("write", name, errno: written < 0 ? errno : ENOSPC) }
      rest = rest.dropFirst(written)
    }
  }
}
