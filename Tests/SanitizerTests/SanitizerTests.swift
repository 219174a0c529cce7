import CSanitizerProbe
import Foundation
import TestSupport
import Testing

/// Which sanitizer this build runs under.
enum Sanitizer {
  /// Whether ThreadSanitizer watches C files.
  static let isThread = gup_probe_thread_sanitizer_out_of_line() == 1
  /// Whether AddressSanitizer watches C files.
  static let isAddress = gup_probe_address_sanitizer_out_of_line() == 1
}

/// Whether the sanitizer runs mean anything.
@Suite(.serialized)
struct SanitizerTests {
  /// SwiftPM hands `--sanitize=thread` to C files, not to the C headers that Swift imports; the wrappers around liburcu and the
  /// annotations are in headers.
  @Test func headersAreInstrumentedAsFilesAre() {
    #expect(
      gup_probe_thread_sanitizer_inline() == gup_probe_thread_sanitizer_out_of_line(),
      "run the tests as: swift test --sanitize=thread -Xcc -fsanitize=thread")
  }

  @Test(arguments: ["synchronize", "deferFree", "barrier"])
  func rightUseIsNotReported(way: String) throws {
    let result = try runProbe(way)
    #expect(result.output.contains("done: \(way)"))
    #expect(result.status == 0 && !result.output.contains("ThreadSanitizer"), "\(result.output)")
  }

  @Test(
    .enabled(
      if: Sanitizer.isThread, "not under ThreadSanitizer: swift test --sanitize=thread -Xcc -fsanitize=thread"),
    arguments: ["noGracePeriod", "writeBeforeGracePeriod", "writeAfterDeferring"])
  func racesAreReported(way: String) throws {
    let result = try runProbe(way)
    #expect(result.output.contains("WARNING: ThreadSanitizer: data race"), "\(result.output)")
    #expect(result.status == 66)
  }

  /// Runs the probe and returns its exit status and all that it printed.
  private func runProbe(_ way: String) throws -> (status: Int32, output: String) {
    let process = Process()
    process.executableURL = try BuiltProgram.url(named: "RaceProbe")
    process.arguments = [way]
    var environment = ProcessInfo.processInfo.environment
    environment["TSAN_OPTIONS"] = "exitcode=66"
    process.environment = environment
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = pipe
    try process.run()
    let output = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: output, as: UTF8.self))
  }
}
