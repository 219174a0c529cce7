import Foundation
import Glibc

/// What a process has of memory and has read from disks, as the kernel counts it.
struct ProcessMemory {
  /// Bytes of pages that the process has, and its share of them: a page that it maps twice counts once.
  var resident = 0
  var proportional = 0

  /// Of the calling process.
  static var current: ProcessMemory {
    var memory = ProcessMemory()
    for line in lines("/proc/self/smaps_rollup") {
      let words = line.split(separator: " ")
      guard words.count > 1, let kibibytes = Int(words[1]) else { continue }
      if words[0] == "Rss:" { memory.resident = kibibytes << 10 }
      if words[0] == "Pss:" { memory.proportional = kibibytes << 10 }
    }
    return memory
  }

  /// Bytes that the calling process had disks read. What the kernel's cache had is not among them.
  static var bytesRead: Int {
    for line in lines("/proc/self/io") where line.hasPrefix("read_bytes:") {
      return line.split(separator: " ").last.flatMap { Int($0) } ?? 0
    }
    return 0
  }

  /// Tells the kernel that accesses to the mappings of a file are random (`MADV_RANDOM`).
  static func adviseRandom(mappingsOf path: String) {
    for line in lines("/proc/self/maps") where line.hasSuffix(path) {
      let ends = line.prefix { $0 != " " }.split(separator: "-").compactMap { UInt($0, radix: 16) }
      guard ends.count == 2 else { continue }
      madvise(UnsafeMutableRawPointer(bitPattern: ends[0]), Int(ends[1] - ends[0]), MADV_RANDOM)
    }
  }

  private static func lines(_ path: String) -> [Substring] {
    let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
    return text.split(separator: "\n")
  }
}
