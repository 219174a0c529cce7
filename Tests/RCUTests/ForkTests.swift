import Foundation
import TestSupport
import Testing

/// What becomes of the child of a `fork(2)` in a program whose threads are using the library.
///
/// Another program forks, see `Tests/ForkProbe`: a process full of test threads is no place for it.
@Suite(
  .enabled(if: !Sanitizer.isPresent, "a sanitizer takes locks of its own in a forked child"), .serialized,
  .timeLimit(.minutes(2)))
struct ForkTests {
  private static let rounds = 20

  @Test(arguments: ["pin", "store", "map", "fork", "end", "machine", "synchronize", "deferFree"])
  func aChildThatUsesTheLibraryIsEnded(deed: String) throws {
    let result = try run(["\(deed)", "\(Self.rounds)"])
    #expect(result.childEnds == Array(repeating: "signal \(SIGABRT)", count: Self.rounds), "\(result)")
    let messages = result.errors.components(separatedBy: "UserPages: this process was forked").count - 1
    #expect(messages == Self.rounds, "\(result.errors)")
    #expect(result.parentIsWell, "\(result)")
  }

  @Test func aChildCannotReachTheParentsMemory() throws {
    let result = try run(["address", "\(Self.rounds)"])
    #expect(result.childEnds == Array(repeating: "signal \(SIGSEGV)", count: Self.rounds), "\(result)")
    #expect(result.parentIsWell, "\(result)")
  }

  @Test(arguments: [("exit", "exit 3"), ("exec", "exit 0"), ("wait", "signal \(SIGTERM)")])
  func aChildThatDoesNotUseTheLibraryNoticesNothing(deed: String, ending: String) throws {
    let result = try run([deed, "\(Self.rounds)"])
    #expect(result.childEnds == Array(repeating: ending, count: Self.rounds), "\(result)")
    #expect(result.errors.isEmpty, "\(result.errors)")
    #expect(result.parentIsWell, "\(result)")
  }

  @Test func aChildForkedBeforeTheFirstUseMayUseIt() throws {
    let result = try run(["before"])
    #expect(result.childEnds == ["exit 0"])
    #expect(result.errors.isEmpty)
  }

  private struct Result {
    let status: Int32
    let output: String
    let errors: String

    var childEnds: [String] {
      output.split(separator: "\n").compactMap { $0.hasPrefix("child: ") ? String($0.dropFirst(7)) : nil }
    }
    var parentIsWell: Bool { status == 0 && output.contains("parent: 7\n") && output.contains("parent: clean\n") }
  }

  private func run(_ arguments: [String]) throws -> Result {
    let process = Process()
    process.executableURL = try BuiltProgram.url(named: "ForkProbe")
    process.arguments = arguments
    // Swift's runtime would add a backtrace to each message.
    process.environment = ProcessInfo.processInfo.environment.merging(["SWIFT_BACKTRACE": "enable=no"]) { $1 }
    // Files, not pipes: a child that hangs would keep a pipe open.
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let names = ["output", "errors"].map { folder.appendingPathComponent($0) }
    for name in names { _ = FileManager.default.createFile(atPath: name.path, contents: nil) }
    process.standardOutput = try FileHandle(forWritingTo: names[0])
    process.standardError = try FileHandle(forWritingTo: names[1])
    try process.run()
    process.waitUntilExit()
    return Result(
      status: process.terminationStatus, output: try String(contentsOf: names[0], encoding: .utf8),
      errors: try String(contentsOf: names[1], encoding: .utf8))
  }
}
