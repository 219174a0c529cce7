import CSanitizerProbe
import TestSupport
import Testing

/// Whether the sanitizer runs mean anything.
@Suite(.serialized)
struct SanitizerTests {
  /// SwiftPM hands `--sanitize=thread` to C files, not to the C headers that Swift imports; the wrappers around liburcu
  /// and the annotations are in headers.
  @Test func headersAreInstrumentedAsFilesAre() {
    #expect((gup_probe_thread_sanitizer_out_of_line() == 1) == Sanitizer.isThread, "C files are not instrumented")
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
    let probe = try BuiltProgram.url(named: "RaceProbe").path
    let run = try Tool.run("/usr/bin/env", ["TSAN_OPTIONS=exitcode=66", probe, way])
    return (run.status, run.output + run.errors)
  }
}
