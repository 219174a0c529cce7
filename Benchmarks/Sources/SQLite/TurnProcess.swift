import Foundation
import Glibc
import Measuring

/// Runs a turn in a process of its own, in a memory cgroup where there may be one.
enum TurnProcess {
  /// Returns nil if the kernel killed the process for want of memory.
  ///
  /// - Parameter limit: bytes that the process and the kernel's cache of its files may have.
  static func run(_ turn: Turn, limit: Int?) throws(Failure) -> Turn.Cell? {
    try turn.bank.dropSystemCache()
    let group = MemoryCgroup(limit: limit)
    defer { group?.remove() }
    var turn = turn
    turn.cgroup = group?.folder
    let (status, output) = try spawn(try encode(turn))
    // The kernel's answer to a process that exceeds its limit.
    if status & 0x7f == SIGKILL { return nil }
    guard status == 0 else {
      throw Failure("the process of \(turn.subject.rawValue), \(turn.work.rawValue), has failed")
    }
    do { return try JSONDecoder().decode(Turn.Cell.self, from: output) } catch {
      throw Failure("the process of \(turn.subject.rawValue) says: \(String(decoding: output, as: UTF8.self))")
    }
  }

  /// Runs the turn that is written in `text`, and writes what it came to.
  static func serve(_ text: String) throws(Failure) {
    let turn: Turn
    do { turn = try JSONDecoder().decode(Turn.self, from: Data(text.utf8)) } catch {
      throw Failure("--turn: \(error)")
    }
    try Standard.output(try encode(try turn.run()))
  }

  private static func encode(_ value: some Encodable) throws(Failure) -> String {
    do { return String(decoding: try JSONEncoder().encode(value), as: UTF8.self) } catch { throw Failure("\(error)") }
  }

  private static func spawn(_ turn: String) throws(Failure) -> (status: Int32, output: Data) {
    var ends: [Int32] = [0, 0]
    guard pipe(&ends) == 0 else { throw Failure("make", "a pipe", errno: errno) }
    defer { close(ends[0]) }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO)
    let arguments: [String] = ["sqlite", "--turn", turn]
    var words = arguments.map { (word: String) in strdup(word) } + [nil]
    defer { words.forEach { free($0) } }
    var process: pid_t = 0
    let code = posix_spawn(&process, "/proc/self/exe", &actions, nil, &words, environ)
    close(ends[1])
    guard code == 0 else { throw Failure("start", "/proc/self/exe", errno: code) }
    let output = FileHandle(fileDescriptor: ends[0], closeOnDealloc: false).readDataToEndOfFile()
    var status: Int32 = 0
    while waitpid(process, &status, 0) < 0 && errno == EINTR {}
    return (status, output)
  }
}
