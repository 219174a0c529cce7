import Foundation
import TestSupport

/// The program `sqlite3`, as another process, which is sent statements one after the other.
final class SQLShell {
  /// It could not be started, or has ended.
  struct Ended: Error {}

  private(set) var process: pid_t = 0
  private let input: Int32
  private let output: Int32
  private var unread: [UInt8] = []

  /// Starts it without a database.
  init() throws {
    var (toChild, fromChild): ([Int32], [Int32]) = ([0, 0], [0, 0])
    guard pipe(&toChild) == 0, pipe(&fromChild) == 0 else { throw Ended() }
    // Another test's process must not hold the other ends.
    for descriptor in toChild + fromChild { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
    // A write to a process that has ended is an error.
    signal(SIGPIPE, SIG_IGN)
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, toChild[0], STDIN_FILENO)
    posix_spawn_file_actions_adddup2(&actions, fromChild[1], STDOUT_FILENO)
    posix_spawn_file_actions_adddup2(&actions, fromChild[1], STDERR_FILENO)
    // Answers must not wait in a buffer.
    let command = ["stdbuf", "-oL", "sqlite3", "-batch", "-init", "/dev/null"]
    var words: [UnsafeMutablePointer<CChar>?] = command.map { strdup($0) } + [nil]
    defer { words.forEach { free($0) } }
    let failure = posix_spawnp(&process, "stdbuf", &actions, nil, &words, environ)
    close(toChild[0])
    close(fromChild[1])
    (input, output) = (toChild[1], fromChild[0])
    guard failure == 0 else { throw Ended() }
  }

  deinit {
    close(input)
    close(output)
    kill()
  }

  /// Opens the file at `path`: over the VFS with the extension that is built beside the tests, or as any program does.
  convenience init(_ path: String, _ parameters: String? = nil) throws {
    try self.init()
    if let parameters {
      let library = try BuiltProgram.url(named: "libUserPagesSQLite.so").deletingPathExtension().path
      _ = try ask(".load \(library)")
      _ = try ask(".open 'file:\(path)?vfs=userpages\(parameters.isEmpty ? "" : "&" + parameters)'")
    } else {
      _ = try ask(".open '\(path)'")
    }
    _ = try ask(".timeout 10000")
  }

  /// Sends a command or statements, and returns what is printed.
  func ask(_ text: String) throws -> String {
    try send(text)
    return try receive()
  }

  /// Sends a command or statements, and does not wait.
  func send(_ text: String) throws {
    var bytes = Array("\(text)\n.print ==done\n".utf8)[...]
    while !bytes.isEmpty {
      let count = bytes.withUnsafeBytes { write(input, $0.baseAddress, $0.count) }
      guard count > 0 else { throw Ended() }
      bytes = bytes.dropFirst(count)
    }
  }

  /// What is printed up to the end of the next text that was sent.
  func receive() throws -> String {
    let mark = Array("==done\n".utf8)
    while true {
      if let end = unread.firstRange(of: mark) {
        defer { unread.removeSubrange(..<end.upperBound) }
        return String(decoding: unread[..<end.lowerBound], as: UTF8.self)
      }
      var buffer = [UInt8](repeating: 0, count: 4096)
      let count = read(output, &buffer, buffer.count)
      guard count > 0 else { throw Ended() }
      unread += buffer[..<count]
    }
  }

  /// Has the process close its database and end, and waits for its end.
  func quit() throws {
    try send(".quit")
    wait()
  }

  /// Kills the process (SIGKILL) and waits for its end.
  func kill() {
    guard process > 0 else { return }
    Foundation.kill(process, SIGKILL)
    wait()
  }

  private func wait() {
    var status: Int32 = 0
    while waitpid(process, &status, 0) < 0 && errno == EINTR {}
    process = 0
  }
}
