import Foundation

/// Runs programs as a user does, and collects their output.
public enum Tool {
  /// What a program printed, and its exit status. A program that a signal ended has the signal's number plus 128.
  public struct Run: Equatable, Sendable {
    public var status: Int32
    public var output: String
    public var errors: String

    public init(status: Int32, output: String, errors: String) {
      self.status = status
      self.output = output
      self.errors = errors
    }
  }

  /// `gup`, which the build puts beside the test program.
  public static let gup = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
    .appendingPathComponent("gup").path

  /// Runs `gup` with `arguments`, and `input` as standard input.
  public static func gup(_ arguments: [String], input: String = "") throws -> Run {
    try run(gup, arguments, input: input)
  }

  /// Runs the program at `path` to its end. Calls `whileRunning` with its process identifier after the start.
  ///
  /// Not by Foundation's `Process`: that closes every descriptor that there could be one by one, which takes a second
  /// if the limit is high.
  ///
  /// - Parameter isMerged: whether errors go where the output goes, in the order in which both were written.
  public static func run(
    _ path: String, _ arguments: [String], input: String = "", isMerged: Bool = false,
    whileRunning: (pid_t) -> Void = { _ in }
  ) throws -> Run {
    try withFolder { folder in
      // Files, because a full pipe would stop a program while its other stream is being read.
      for name in ["input", "output", "errors"] {
        try (name == "input" ? input : "").write(toFile: "\(folder)/\(name)", atomically: false, encoding: .utf8)
      }
      var actions = posix_spawn_file_actions_t()
      posix_spawn_file_actions_init(&actions)
      defer { posix_spawn_file_actions_destroy(&actions) }
      posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "\(folder)/input", O_RDONLY, 0)
      posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "\(folder)/output", O_WRONLY, 0)
      if isMerged {
        posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO)
      } else {
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "\(folder)/errors", O_WRONLY, 0)
      }
      // What other threads have open is not the program's: a file that one of them writes could not be run meanwhile.
      // Tests have few files open.
      for descriptor in Int32(3)..<256 { posix_spawn_file_actions_addclose(&actions, descriptor) }
      // A process group of its own, so that a signal for the program's group does not reach the tests.
      var attributes = posix_spawnattr_t()
      posix_spawnattr_init(&attributes)
      defer { posix_spawnattr_destroy(&attributes) }
      posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP))
      var words: [UnsafeMutablePointer<CChar>?] = ([path] + arguments).map { strdup($0) } + [nil]
      defer { words.forEach { free($0) } }
      var process: pid_t = 0
      var failure = posix_spawn(&process, path, &actions, &attributes, &words, environ)
      // Until it has closed its descriptors, another thread's program has the file open that a test has just written.
      while failure == ETXTBSY {
        usleep(1000)
        failure = posix_spawn(&process, path, &actions, &attributes, &words, environ)
      }
      guard failure == 0 else { throw CannotStart(path: path, errno: failure) }
      whileRunning(process)
      var status: Int32 = 0
      while waitpid(process, &status, 0) < 0 && errno == EINTR {}
      // The exit status stands above the signal's number.
      let signal = status & 0x7f
      return Run(
        status: signal == 0 ? (status >> 8) & 0xff : 128 + signal, output: try text("\(folder)/output"),
        errors: try text("\(folder)/errors"))
    }
  }

  /// A program that could not be started.
  public struct CannotStart: Error {
    /// Where it was looked for.
    public let path: String
    /// The reason.
    public let errno: Int32
  }

  private static func text(_ path: String) throws -> String {
    String(decoding: try Data(contentsOf: URL(fileURLWithPath: path)), as: UTF8.self)
  }

  /// Runs a shell command.
  public static func shell(_ command: String) throws -> Run {
    try run("/bin/sh", ["-c", command])
  }

  /// Calls `body` with the path of a new folder, which is removed afterwards.
  public static func withFolder<Result>(_ body: (_ path: String) throws -> Result) throws -> Result {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent("gup-test-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: path) }
    return try body(path)
  }
}
