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

  /// Runs the program at `path`. Calls `whileRunning` with its process identifier after the start.
  public static func run(
    _ path: String, _ arguments: [String], input: String = "", whileRunning: (pid_t) -> Void = { _ in }
  ) throws -> Run {
    try withFolder { folder in
      // Files, because a full pipe would stop a program whose other stream is being read.
      let output = try File(in: folder, "output")
      let errors = try File(in: folder, "errors")
      let process = Process()
      process.executableURL = URL(fileURLWithPath: path)
      process.arguments = arguments
      process.standardInput = try File(in: folder, "input", input).handle
      process.standardOutput = output.handle
      process.standardError = errors.handle
      try process.run()
      whileRunning(process.processIdentifier)
      process.waitUntilExit()
      let bySignal = process.terminationReason == .uncaughtSignal
      return Run(
        status: process.terminationStatus + (bySignal ? 128 : 0), output: try output.text(), errors: try errors.text())
    }
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

  private struct File {
    let path: String
    let handle: FileHandle

    init(in folder: String, _ name: String, _ text: String = "") throws {
      path = "\(folder)/\(name)"
      try text.write(toFile: path, atomically: false, encoding: .utf8)
      handle = try FileHandle(forUpdating: URL(fileURLWithPath: path))
    }

    func text() throws -> String {
      String(decoding: try Data(contentsOf: URL(fileURLWithPath: path)), as: UTF8.self)
    }
  }
}
