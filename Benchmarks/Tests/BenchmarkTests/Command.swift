import Foundation
import Glibc
import Measuring

/// A tool of this package as a program, which the build puts beside the test program.
struct Command {
  /// How a program ended, and what it wrote.
  struct Result: CustomStringConvertible {
    /// The exit status; the negative number of the signal that ended the program.
    var status: Int32
    var output: String
    var errors: String

    var description: String { "status \(status)\n\(output)\(errors)" }
  }

  struct CannotStart: Error {
    var code: Int32
  }

  private let process: pid_t
  private let folder: TemporaryFolder

  /// Starts `tool` with `arguments` in a shell that runs `setup` before it and appends `redirections`. `wrapper` is the
  /// command that starts the shell. A tool is one of this build, or a path.
  init(
    _ tool: String, _ arguments: [String], wrapper: [String] = [], setup: String = "", redirections: String = ""
  ) throws {
    let folder = try TemporaryFolder()
    let program =
      tool.hasPrefix("/")
      ? tool
      : URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().appendingPathComponent(tool).path
    let script = """
      \(setup)
      exec "$0" "$@" \(redirections)
      """
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    for (descriptor, name) in [(STDOUT_FILENO, "output"), (STDERR_FILENO, "errors")] {
      posix_spawn_file_actions_addopen(&actions, descriptor, folder[name], O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    }
    var words = (["env"] + wrapper + ["sh", "-c", script, program] + arguments).map { strdup($0) } + [nil]
    defer { words.forEach { free($0) } }
    var process: pid_t = 0
    let code = posix_spawn(&process, "/usr/bin/env", &actions, nil, &words, environ)
    guard code == 0 else { throw CannotStart(code: code) }
    self.process = process
    self.folder = folder
  }

  /// Runs a tool to its end.
  static func run(
    _ tool: String, _ arguments: String..., setup: String = "", redirections: String = ""
  ) throws -> Result {
    try Command(tool, arguments, setup: setup, redirections: redirections).wait()
  }

  /// Ends the program as `kill -9` does.
  func kill() { Glibc.kill(process, SIGKILL) }

  /// What the program has written so far.
  var outputSoFar: String { text("output") }

  private func text(_ name: String) -> String { (try? String(contentsOfFile: folder[name], encoding: .utf8)) ?? "" }

  /// Waits for the end, which only the first caller learns about. A program that runs longer than a minute is killed.
  func wait() -> Result {
    var status: Int32 = 0
    var steps = 0
    while waitpid(process, &status, WNOHANG) == 0 {
      steps += 1
      if steps == 6000 { kill() }
      usleep(10_000)
    }
    let signal = status & 0x7f
    return Result(
      status: signal == 0 ? (status >> 8) & 0xff : -signal, output: text("output"), errors: text("errors"))
  }
}

/// A folder that is gone when nothing refers to it any more.
final class TemporaryFolder {
  let path: String

  /// One `inMemory` is quick to synchronise, where there is such a file system.
  init(inMemory: Bool = false) throws {
    let parent = inMemory && access("/dev/shm", W_OK) == 0 ? "/dev/shm/" : NSTemporaryDirectory()
    path = parent + "benchmark-tests-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit {
    try? FileManager.default.removeItem(atPath: path)
  }

  /// Waits until no process has a file of it locked. A write that is under way when a program is killed keeps the file
  /// locked until it is over.
  func waitUntilUnlocked(_ name: String) throws {
    for _ in 0..<400 {
      do throws(Failure) {
        _ = try LockedFile(self[name])
        return
      } catch {
        guard error.description.contains("EWOULDBLOCK") else { throw error }
      }
      usleep(5_000)
    }
    throw Failure("\(self[name]) stays locked")
  }

  /// The path of a file in it.
  subscript(name: String) -> String { path + "/" + name }
}
