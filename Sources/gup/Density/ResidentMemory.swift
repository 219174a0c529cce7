import Foundation

/// The memory that this process really holds, as the kernel counts it page by page.
enum ResidentMemory {
  /// Bytes of anonymous and shared memory. What is only a view of a real file, which others share, is not among them.
  ///
  /// `smaps_rollup` walks the page tables, so unlike the counters in `status` it is exact.
  static func bytes() throws -> Int {
    let text = try String(contentsOfFile: "/proc/self/smaps_rollup", encoding: .utf8)
    var total = 0
    for line in text.split(separator: "\n") {
      let words = line.split(separator: " ", omittingEmptySubsequences: true)
      guard words.count >= 2, ["Anonymous:", "Pss_Shmem:"].contains(words[0]), let kibibytes = Int(words[1]) else {
        continue
      }
      total += kibibytes * 1024
    }
    return total
  }
}
