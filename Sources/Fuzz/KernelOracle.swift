import Foundation
import Scenario

/// The running kernel, asked through the `kernel-oracle` program: what it answers to a scenario's statements.
///
/// One program serves many scenarios, one after the other. It ends with its input, so it is gone when this is, however that
/// happens.
public final class KernelOracle {
  /// Why the kernel cannot be asked.
  public enum Problem: Error, CustomStringConvertible {
    /// The program cannot be started.
    case notFound(path: String)
    /// The kernel lacks something, or does not let this process have it.
    case unavailable(String)
    /// The driver ended in the middle; it said why on standard error.
    case ended

    public var description: String {
      switch self {
      case .notFound(let path): "no program to drive real memory at \(path)"
      case .unavailable(let reason): "the kernel cannot be asked: \(reason)"
      case .ended: "the program that drives real memory ended"
      }
    }
  }

  private let process = Process()
  private let input = Pipe()
  private let output = Pipe()
  private var unread: [UInt8] = []
  private var unreadStart = 0

  /// Starts the program at `path`.
  public init(path: String) throws(Problem) {
    process.executableURL = URL(fileURLWithPath: path)
    process.standardInput = input
    process.standardOutput = output
    do { try process.run() } catch { throw .notFound(path: path) }
    let greeting = try line()
    guard greeting == "ready" else { throw .unavailable(String(greeting.drop { $0 != " " }.dropFirst())) }
  }

  deinit {
    try? input.fileHandleForWriting.close()
    process.waitUntilExit()
  }

  /// Where the build puts the program: beside the one that is running, whose path is `program`.
  public static func path(beside program: String) -> String {
    URL(fileURLWithPath: program).resolvingSymlinksInPath().deletingLastPathComponent()
      .appendingPathComponent("kernel-oracle").path
  }

  /// Hands a scenario over; `answers(to:)` collects what came of it. One at a time.
  public func start(_ file: ScenarioFile) throws(Problem) {
    var text = ""
    for line in file.lines { text += "\(line.statement)\n" }
    do {
      try input.fileHandleForWriting.write(contentsOf: Data((text + "end\n").utf8))
    } catch { throw .ended }
  }

  /// The results of the scenario that was handed over last, one for each statement.
  public func answers(to file: ScenarioFile) throws(Problem) -> [String] {
    var answers: [String] = []
    for _ in file.lines { answers.append(try line()) }
    guard try line() == "done" else { throw .ended }
    return answers
  }

  private func line() throws(Problem) -> String {
    while true {
      if let end = unread[unreadStart...].firstIndex(of: UInt8(ascii: "\n")) {
        defer { unreadStart = end + 1 }
        return String(decoding: unread[unreadStart..<end], as: UTF8.self)
      }
      unread.removeSubrange(..<unreadStart)
      unreadStart = 0
      let more = output.fileHandleForReading.availableData
      if more.isEmpty { throw .ended }
      unread += more
    }
  }
}
