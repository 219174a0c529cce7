import Foundation
import Scenario

/// The running kernel as oracle: it answers each statement of a scenario on real memory.
///
/// The oracle is a process of its own (`CKernelOracle`), because every space of a scenario becomes a process that it
/// forks. One process serves many scenarios, one after the other. It ends when its input ends, so it never outlives
/// this object.
public final class KernelOracle {
  /// Why the kernel gave no answer.
  public enum Problem: Error, Equatable, CustomStringConvertible {
    /// The oracle's process could not be started: the call that failed, and why.
    case notStarted(String, SystemError)
    /// The kernel lacks a feature, or refuses it to this process.
    case unavailable(String)
    /// The oracle's process ended before it answered. It said why on standard error.
    case ended

    public var description: String {
      switch self {
      case .notStarted(let call, let error): "the kernel's side cannot be started: \(call): \(error)"
      case .unavailable(let reason): "the kernel cannot be asked: \(reason)"
      case .ended: "the process that drives real memory ended"
      }
    }
  }

  /// Arguments that make `gup` the oracle.
  public static let arguments = ["kernel-oracle"]

  /// The missing word for `pin` with `longterm` and without `write`.
  static let longTermReads = "longterm-read"

  /// The words of the language that this machine has no answer to, each with the reason: `diskfile` where there is no
  /// disk, and what its kernel is too old for, or was not built with.
  public private(set) var missingWords: [String: String] = [:]

  /// What programs ask for here in vain, each with the reason: `frame` is answered `unknown`, `swap` takes no page that
  /// is paged out, `huge` gets base pages. They are compared all the same.
  public private(set) var missingEffects: [String: String] = [:]
  private static let effects: Set = ["frame", "swap", "huge"]

  private let process: ChildProcess
  private var unread: [UInt8] = []
  private var unreadStart = 0

  /// Starts `program` as oracle. The default is the running program, found by the kernel itself, so its file may have
  /// moved.
  ///
  /// - Parameter program: the path of a program that calls `kernel_oracle_run()` if its arguments are `arguments`.
  public init(program: String = "/proc/self/exe") throws(Problem) {
    do throws(ChildProcess.Failure) {
      process = try ChildProcess(program, Self.arguments)
    } catch {
      throw .notStarted(error.call, error.error)
    }
    while true {
      let greeting = try line()
      if greeting == "ready" { return }
      let parts = greeting.split(separator: ": ", maxSplits: 1)
      guard parts.count == 2, parts[0].hasPrefix("without ") else {
        throw .unavailable(parts.count == 2 && parts[0] == "unavailable" ? String(parts[1]) : greeting)
      }
      let word = String(parts[0].dropFirst("without ".count))
      if Self.effects.contains(word) {
        missingEffects[word] = String(parts[1])
      } else {
        missingWords[word] = String(parts[1])
      }
    }
  }

  /// Whether the statement has a word that this machine has no answer to.
  func lacks(_ statement: Statement) -> Bool {
    if missingWords.isEmpty { return false }
    let words = "\(statement)".split(separator: " ").map(String.init)
    return words.contains { missingWords[$0] != nil }
      || (statement.isLongTermRead && missingWords[Self.longTermReads] != nil)
  }

  /// Hands a scenario over. Call `answers(to:)` before the next `start`.
  public func start(_ file: ScenarioFile) throws(Problem) {
    try send(file.lines.map(\.statement.description))
  }

  /// Waits for the results of the scenario that was handed over last: one for each statement.
  public func answers(to file: ScenarioFile) throws(Problem) -> [String] {
    var answers: [String] = []
    for _ in file.lines { answers.append(try line()) }
    guard try line() == "done" else { throw .ended }
    return answers
  }

  /// Hands over the lines of a program.
  func send(_ lines: [String]) throws(Problem) {
    guard process.write(Array((lines.joined(separator: "\n") + "\n.\n").utf8)) else { throw .ended }
  }

  /// The next line of the answers.
  func line() throws(Problem) -> String {
    while true {
      if let end = unread[unreadStart...].firstIndex(of: UInt8(ascii: "\n")) {
        defer { unreadStart = end + 1 }
        return String(decoding: unread[unreadStart..<end], as: UTF8.self)
      }
      unread.removeSubrange(..<unreadStart)
      unreadStart = 0
      let more = process.read()
      if more.isEmpty { throw .ended }
      unread += more
    }
  }
}

extension Statement {
  /// Whether this is a long-term pin for reading. In the language it has no word of its own.
  fileprivate var isLongTermRead: Bool {
    if case .pin(.pin(_, _, _, let options)) = self {
      options.contains(.longTerm) && !options.contains(.write)
    } else {
      false
    }
  }
}
