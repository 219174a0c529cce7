import Foundation
import TestSupport
import Testing

/// The C face as it lies in the repository and in the build.
enum CFace {
  static let root = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  /// The files of a folder of the repository.
  static func texts(in folder: String, suffix: String) throws -> [String] {
    let url = root.appendingPathComponent(folder)
    let names = try FileManager.default.contentsOfDirectory(atPath: url.path).filter { $0.hasSuffix(suffix) }
    return try names.sorted().map { try String(contentsOf: url.appendingPathComponent($0), encoding: .utf8) }
  }

  /// The functions that the headers declare.
  static func declared() throws -> Set<String> {
    let headers = try texts(in: "Sources/UserPagesC/include/userpages", suffix: ".h").joined(separator: "\n")
    return Set(headers.matches(of: /UP_API\s[^;()]*?\b(up_\w+)\(/).map { String($0.output.1) })
  }

  /// The functions of the C face that a program or library defines.
  ///
  /// - Parameter isDynamic: whether to look at what it exports, or at all that is in it.
  static func defined(in path: String, isDynamic: Bool) throws -> Set<String> {
    let run = try Tool.shell("nm --defined-only \(isDynamic ? "-D" : "") '\(path)'")
    try #require(run.status == 0, "nm: \(run.errors)")
    return Set(run.output.matches(of: /(?m) T (up_\w+?)(?:@.*)?$/).map { String($0.output.1) })
  }
}
