import CBenchmark
import Foundation

/// The machine that a result was measured on.
public struct Machine: Codable, Sendable {
  public var processor: String
  public var processors: Int
  public var memoryMiB: Int
  public var kernel: String

  enum CodingKeys: String, CodingKey {
    case processor, processors, kernel
    case memoryMiB = "memory_mib"
  }

  public static let current: Machine = {
    let information = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
    let model = information.split(separator: "\n").first { $0.hasPrefix("model name") }
    let name = model?.split(separator: ":").last.map { $0.trimmingCharacters(in: .whitespaces) }
    var system = utsname()
    uname(&system)
    let release = withUnsafeBytes(of: &system.release) { bytes in
      String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
    return Machine(
      processor: name ?? "unknown processor",
      processors: Int(usable_processors()),
      memoryMiB: Int(ProcessInfo.processInfo.physicalMemory >> 20),
      kernel: release
    )
  }()

  public var description: String {
    "\(processor), \(processors) processors, \(memoryMiB >> 10) GiB, Linux \(kernel)"
  }
}
