import Foundation
import TestSupport
import Testing

/// The memory that a scenario takes from the computer.
@Suite(.offThePool) struct MemoryUseTests {
  /// Pages of 1 GiB. `image rom 0x1ff000` took 8.3 GB.
  private static let pages = 1 << 18
  private static let mebibytes = 1 << 20

  /// The pages of a pattern cost memory when they are read.
  @Test func anImageOfAPatternCostsOnlyThePagesThatAreRead() throws {
    let peak = try peakMemory(
      of: """
        image rom \(Self.pages)
        space A
        map A 0x100000000 \(Self.pages) rw private mixed:rom
        read A 0x100000000 2 => 0101
        read A 0x13ffff000 2 => 0000
        write A 0x120000000 ff => ok
        readfile rom 4096 2 => 0202
        """)
    #expect(peak < 128 * Self.mebibytes, "\(peak / Self.mebibytes) MiB")
  }

  /// The most memory that `gup scenario` held at once, in bytes.
  private func peakMemory(of scenario: String) throws -> Int {
    try Tool.withFolder { folder in
      try scenario.write(toFile: "\(folder)/t.gup", atomically: false, encoding: .utf8)
      // After the first scenario gup waits for the second, on standard input. Its peak can be read then.
      let run = try Tool.shell(
        """
        cd '\(folder)' && mkfifo input && : >output
        '\(Tool.gup)' scenario t.gup - <input >output &
        gup=$!
        exec 3>input
        until grep -q '^7: ' output || ! kill -0 $gup 2>/dev/null; do sleep 0.05; done
        grep VmHWM /proc/$gup/status
        exec 3>&-
        wait $gup && ! grep expected output
        """)
      #expect(run.status == 0, "\(run)")
      let kibibytes = try #require(run.output.firstMatch(of: /VmHWM:\s*(\d+) kB/)).output.1
      return (Int(kibibytes) ?? .max / 1024) * 1024
    }
  }
}
