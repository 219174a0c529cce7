import Foundation
import Glibc
import Measuring
import Testing

@testable import pool

/// `pool --writes`, ended by `kill -9`: what a thread called safe is in the file.
@Suite struct KilledWritesTests {
  static let pages = 1024
  static let threads = 2

  /// What each thread said last. A line that the end cut off says nothing.
  func safe(_ output: String) -> [UInt64] {
    var safe = [UInt64](repeating: 0, count: Self.threads)
    for line in output.split(separator: "\n", omittingEmptySubsequences: false).dropLast() {
      let words = line.split(separator: " ")
      guard words.count == 3, let thread = Int(words[1]), let generation = UInt64(words[2]) else { continue }
      safe[thread] = generation
    }
    return safe
  }

  /// The cache holds an eighth of the file, so pages are also written to make room.
  @Test func whatWasSyncedIsThere() throws {
    let folder = try TemporaryFolder()
    for round in 0..<8 {
      let path = folder["data\(round)"]
      let run = try Command(
        "pool", ["--writes", path, "--size", "4", "--threads", "\(Self.threads)", "--seconds", "50"])
      for _ in 0..<3000 where safe(run.outputSoFar).contains(where: { $0 < 5 }) { usleep(5_000) }
      usleep(UInt32.random(in: 0..<100_000))
      run.kill()
      let result = run.wait()
      #expect(result.status == -SIGKILL, "\(result)")
      let safe = safe(result.output)
      #expect(safe.allSatisfy { $0 >= 5 })
      try folder.waitUntilUnlocked("data\(round)")
      let problems = try Generation.problems(path: path, pages: Self.pages, safe: safe)
      #expect(problems.isEmpty, "\(problems.prefix(5))")
    }
  }

  /// The comparison finds what is missing: a file that a later run than the one that was synced would have left.
  @Test func whatIsNotThereIsFound() throws {
    let folder = try TemporaryFolder(inMemory: true)
    let result = try Command.run(
      "pool", "--writes", folder["data"], "--size", "4", "--threads", "2", "--seconds", "0.2")
    #expect(result.status == 0, "\(result)")
    var safe = safe(result.output)
    #expect(try Generation.problems(path: folder["data"], pages: Self.pages, safe: safe).isEmpty)
    safe[1] += 1
    #expect(try !Generation.problems(path: folder["data"], pages: Self.pages, safe: safe).isEmpty)
    let again = try Command.run("pool", "--writes", folder["data"], "--size", "4")
    #expect(again.status == 1)
    #expect(again.errors.contains("EEXIST"), "\(again)")
  }

  @Test func measurements() throws {
    let folder = try TemporaryFolder()
    let result = try Command.run(
      "pool", "--directory", folder.path, "--size", "4", "--rounds", "1", "--seconds", "0.01", "--json",
      folder["json"], "--svg", folder["svg"])
    #expect(result.status == 0, "\(result)")
    for name in ["cache-slot", "mmap", "textbook", "disk", "batch 256", "pread, 16", "ring, adapts"] {
      #expect(result.output.contains(name))
    }
    let data = try Data(contentsOf: URL(fileURLWithPath: folder["json"]))
    let report = try JSONSerialization.jsonObject(with: data) as? [String: Any]
    #expect((report?["rows"] as? [Any])?.isEmpty == false)
    #expect(try String(contentsOfFile: folder["svg"], encoding: .utf8).hasPrefix("<svg"))
    // The file that was measured had no name.
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() == ["json", "svg"])
  }
}
