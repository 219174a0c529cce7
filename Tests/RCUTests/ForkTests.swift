import Foundation
import TestSupport
import Testing

/// What becomes of the child of a `fork(2)` in a program while its threads use the library.
///
/// Another program forks, see `Tests/ForkProbe`: a process full of test threads is no place for it.
@Suite(
  .enabled(if: !Sanitizer.isPresent, "a sanitizer takes locks of its own in a forked child"), .serialized, .offThePool,
  .timeLimit(.minutes(2)))
struct ForkTests {
  private static let rounds = 20

  @Test(arguments: [
    "pin", "store", "mirrorLoad", "mirrorStore", "map", "fork", "end", "machine", "synchronize", "deferFree",
  ])
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

  /// What a program prints must not go to its memory or its files.
  @Test func noFileOfTheLibraryIsAStandardStream() throws {
    let result = try Tool.withFolder { folder in try run(["streams", folder]) }
    #expect(result.status == 0)
  }

  private func run(_ arguments: [String]) throws -> Tool.Run {
    // Swift's runtime would add a backtrace to each message.
    try Tool.run("/usr/bin/env", ["SWIFT_BACKTRACE=enable=no", BuiltProgram.url(named: "ForkProbe").path] + arguments)
  }
}

extension Tool.Run {
  fileprivate var childEnds: [String] {
    output.split(separator: "\n").compactMap { $0.hasPrefix("child: ") ? String($0.dropFirst(7)) : nil }
  }
  fileprivate var parentIsWell: Bool {
    status == 0 && output.contains("parent: 7\n") && output.contains("parent: clean\n")
  }
}
