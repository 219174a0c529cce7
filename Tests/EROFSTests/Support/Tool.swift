import Foundation

/// A program of the machine that a test runs.
enum Tool {
  struct Failure: Error, CustomStringConvertible {
    let description: String
  }

  /// Where a program is; nil where it is not installed.
  static func path(of name: String) -> String? {
    ["/usr/bin", "/usr/sbin", "/bin", "/sbin", "/usr/local/bin"]
      .map { $0 + "/" + name }
      .first { FileManager.default.isExecutableFile(atPath: $0) }
  }

  /// Runs a program to its end and returns what it printed. Throws if the program fails.
  @discardableResult
  static func run(_ name: String, _ arguments: [String]) throws -> String {
    guard let path = path(of: name) else { throw Failure(description: "\(name) is not installed") }
    let (status, output) = try execute(path, arguments)
    guard status == 0 else {
      throw Failure(description: "\(name) \(arguments.joined(separator: " ")): \(output)")
    }
    return output
  }

  /// Runs `gup`, which the build puts beside the test program.
  static func gup(_ arguments: String...) throws -> (status: Int32, output: String) {
    try execute(gupPath, arguments)
  }

  static let gupPath = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
    .appendingPathComponent("gup").path

  /// Runs a program. Returns its exit status and what it printed on both streams.
  static func execute(_ path: String, _ arguments: [String]) throws -> (status: Int32, output: String) {
    // Foundation's Process closes every descriptor that there could be, which takes a second where the limit is high.
    let log = NSTemporaryDirectory() + "/erofs-tests-\(UUID().uuidString).log"
    let descriptor = open(log, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw Failure(description: "cannot open \(log)") }
    defer {
      close(descriptor)
      unlink(log)
    }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, descriptor, STDOUT_FILENO)
    posix_spawn_file_actions_adddup2(&actions, descriptor, STDERR_FILENO)
    var words: [UnsafeMutablePointer<CChar>?] = ([path] + arguments).map { strdup($0) } + [nil]
    defer { words.forEach { free($0) } }
    var process: pid_t = 0
    let failure = posix_spawn(&process, path, &actions, nil, &words, environ)
    guard failure == 0 else { throw Failure(description: "\(path): error \(failure)") }
    var status: Int32 = 0
    while waitpid(process, &status, 0) < 0 && errno == EINTR {}
    let output = String(decoding: SourceFile.contents(of: Array(log.utf8)) ?? [], as: UTF8.self)
    // The exit status stands above the signal's number.
    return (status & 0x7f == 0 ? (status >> 8) & 0xff : -1, output)
  }

  static let hasMkfs = path(of: "mkfs.erofs") != nil
  static let hasFsck = path(of: "fsck.erofs") != nil

  /// Makes an image of a directory.
  static func makeImage(of directory: String, at image: String, _ options: [String] = []) throws {
    try run("mkfs.erofs", ["-d1", "--quiet"] + options + [image, directory])
  }

  /// Whether the running kernel mounts an image here: it needs the file system, loop devices and the right to mount.
  static let canMount: Bool = {
    guard hasMkfs, path(of: "mount") != nil, let directory = try? TemporaryDirectory() else { return false }
    let files = FileManager.default
    do {
      try files.createDirectory(atPath: directory["source"], withIntermediateDirectories: true)
      try files.createDirectory(atPath: directory["mount"], withIntermediateDirectories: true)
      try makeImage(of: directory["source"], at: directory["image"])
      try withMount(of: directory["image"], at: directory["mount"]) {}
      return true
    } catch {
      return false
    }
  }()

  /// Runs `body` while an image is mounted.
  static func withMount(of image: String, at directory: String, _ body: () throws -> Void) throws {
    try run("mount", ["-t", "erofs", "-o", "ro,loop", image, directory])
    defer { _ = try? run("umount", ["-l", directory]) }
    try body()
  }
}
