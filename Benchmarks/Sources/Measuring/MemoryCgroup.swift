import Foundation
import Glibc

/// A memory cgroup for one subject's turn: it counts what a process has, the kernel's cache of its files included, and
/// may limit it.
///
/// Making one takes rights that a benchmark may lack. Then there is none, and the report says so.
public struct MemoryCgroup: Sendable {
  /// Where it is.
  public let folder: String
  /// The one that the process was in.
  private let parent: String
  private let isFirstVersion: Bool

  /// A new cgroup below the calling process's own. Returns nil where that is not allowed.
  public init?(limit: Int?) {
    guard let (parent, isFirstVersion) = Self.parent else { return nil }
    let folder = "\(parent)/user-pages-benchmark-\(getpid())"
    guard mkdir(folder, 0o755) == 0 || errno == EEXIST else { return nil }
    self.folder = folder
    self.parent = parent
    self.isFirstVersion = isFirstVersion
    let limitFile = isFirstVersion ? "memory.limit_in_bytes" : "memory.max"
    guard access("\(folder)/\(limitFile)", W_OK) == 0 else {
      remove()
      return nil
    }
    guard let limit else { return }
    guard Self.write("\(limit)", "\(folder)/\(limitFile)") else {
      remove()
      return nil
    }
    // Where there is swap, it must not stand in for memory.
    let (swapFile, swap) = isFirstVersion ? ("memory.memsw.limit_in_bytes", limit) : ("memory.swap.max", 0)
    _ = Self.write("\(swap)", "\(folder)/\(swapFile)")
  }

  /// The folder of the process's own memory cgroup, in the first version's tree or the second's.
  private static let parent: (folder: String, isFirstVersion: Bool)? = {
    let text = (try? String(contentsOfFile: "/proc/self/cgroup", encoding: .utf8)) ?? ""
    let entries = text.split(separator: "\n").map {
      $0.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
    }
    if let first = entries.first(where: { $0.count == 3 && $0[1].split(separator: ",").contains("memory") }) {
      return ("/sys/fs/cgroup/memory\(first[2])", true)
    }
    return entries.first { $0.count == 3 && $0[0] == "0" }.map { ("/sys/fs/cgroup\($0[2])", false) }
  }()

  /// Puts the calling process into the cgroup in `folder`.
  public static func enter(_ folder: String) throws(Failure) {
    guard write("0", "\(folder)/cgroup.procs") else { throw Failure("enter the cgroup", folder, errno: errno) }
  }

  /// Bytes that its processes have now.
  public static func usage(_ folder: String) -> Int? {
    for name in ["memory.usage_in_bytes", "memory.current"] {
      let text = try? String(contentsOfFile: "\(folder)/\(name)", encoding: .utf8)
      if let bytes = text.flatMap({ Int($0.trimmingCharacters(in: .whitespacesAndNewlines)) }) { return bytes }
    }
    return nil
  }

  /// Takes the calling process out again. What it was charged for here stays charged here.
  public func leave() throws(Failure) { try Self.enter(parent) }

  /// Removes it, once its processes have ended.
  public func remove() {
    for _ in 0..<100 where rmdir(folder) != 0 && errno == EBUSY { usleep(10_000) }
  }

  private static func write(_ text: String, _ path: String) -> Bool {
    let file = open(path, O_WRONLY | O_CLOEXEC)
    guard file >= 0 else { return false }
    defer { close(file) }
    let bytes = Array(text.utf8)
    return Glibc.write(file, bytes, bytes.count) == bytes.count
  }
}
