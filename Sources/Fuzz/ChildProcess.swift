import Foundation
import Scenario

/// A child process. Its standard input and output are one socket of this process.
///
/// Foundation's `Process` and `Pipe` trap if no descriptor is left. This class throws. The child inherits standard
/// error.
final class ChildProcess {
  /// The system call that failed.
  struct Failure: Error {
    var call: String
    var error: SystemError
  }

  private let socket: Int32
  private let process: pid_t

  /// Starts the program at `path` in the environment of this process.
  init(_ path: String, _ arguments: [String]) throws(Failure) {
    var ends: [Int32] = [-1, -1]
    let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    guard socketpair(AF_UNIX, type, 0, &ends) == 0 else { throw Failure(call: "socketpair", error: .last) }
    defer { close(ends[1]) }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, ends[1], 0)
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1)
    let environment = ProcessInfo.processInfo.environment.map { "\($0.key)=\($0.value)" }
    var child: pid_t = 0
    let code = Self.withCStrings([path] + arguments) { argv in
      Self.withCStrings(environment) { posix_spawn(&child, path, &actions, nil, argv, $0) }
    }
    guard code == 0 else {
      close(ends[0])
      throw Failure(call: "posix_spawn \(path)", error: SystemError(code: code))
    }
    socket = ends[0]
    process = child
  }

  /// Closes the child's input and waits for its end.
  deinit {
    close(socket)
    while waitpid(process, nil, 0) < 0, errno == EINTR {}
  }

  /// Writes all of `bytes`. Returns false if the child no longer reads.
  func write(_ bytes: [UInt8]) -> Bool {
    var rest = bytes[...]
    while !rest.isEmpty {
      // Without MSG_NOSIGNAL a child that has ended would raise SIGPIPE here.
      let count = rest.withUnsafeBytes { send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return false }
      rest = rest.dropFirst(count)
    }
    return true
  }

  /// Waits for the child's next bytes. Returns none if it has ended.
  func read() -> [UInt8] {
    var count = 0
    let bytes = [UInt8](unsafeUninitializedCapacity: 1 << 16) { buffer, initialized in
      repeat {
        count = recv(socket, buffer.baseAddress, buffer.count, 0)
      } while count < 0 && errno == EINTR
      initialized = max(count, 0)
    }
    return bytes
  }

  /// Lends `texts` as C strings in an array that a null pointer ends.
  private static func withCStrings<Result>(
    _ texts: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> Result
  ) -> Result {
    let pointers = texts.map { strdup($0) }
    defer { for pointer in pointers { free(pointer) } }
    return body(pointers + [nil])
  }
}
