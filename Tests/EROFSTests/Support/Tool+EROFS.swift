import Foundation
import TestSupport

/// The programs that make, check and mount images.
extension Tool {
  struct Failure: Error, CustomStringConvertible {
    let description: String
  }

  /// Where a program of the machine is; nil if it is not installed.
  static func path(of name: String) -> String? {
    ["/usr/bin", "/usr/sbin", "/bin", "/sbin", "/usr/local/bin"]
      .map { $0 + "/" + name }
      .first { FileManager.default.isExecutableFile(atPath: $0) }
  }

  /// Runs a program of the machine to its end and returns what it printed. Throws if the program fails.
  @discardableResult
  static func runInstalled(_ name: String, _ arguments: [String]) throws -> String {
    guard let path = path(of: name) else { throw Failure(description: "\(name) is not installed") }
    let run = try run(path, arguments, isMerged: true)
    guard run.status == 0 else {
      throw Failure(description: "\(name) \(arguments.joined(separator: " ")): \(run.output)")
    }
    return run.output
  }

  /// Runs `gup`. The output has what it printed on both streams.
  static func gup(_ arguments: String...) throws -> Run { try run(gup, arguments, isMerged: true) }

  static let hasMkfs = path(of: "mkfs.erofs") != nil
  static let hasFsck = path(of: "fsck.erofs") != nil

  /// Makes an image of a directory.
  static func makeImage(of directory: String, at image: String, _ options: [String] = []) throws {
    try runInstalled("mkfs.erofs", ["-d1", "--quiet"] + options + [image, directory])
  }

  /// Whether the running kernel mounts an image here: it needs the file system, loop devices and the right to mount.
  static let canMount: Bool = {
    guard hasMkfs, path(of: "mount") != nil, let directory = try? TemporaryDirectory() else { return false }
    let files = FileManager.default
    do {
      try files.createDirectory(atPath: directory["source"], withIntermediateDirectories: true)
      try files.createDirectory(atPath: directory["mount"], withIntermediateDirectories: true)
      try makeImage(of: directory["source"], at: directory["image"])
      try withMount(of: directory["image"], at: directory["mount"]) {}
      return true
    } catch {
      return false
    }
  }()

  /// Runs `body` while an image is mounted.
  static func withMount(of image: String, at directory: String, _ body: () throws -> Void) throws {
    try runInstalled("mount", ["-t", "erofs", "-o", "ro,loop", image, directory])
    defer { _ = try? runInstalled("umount", ["-l", directory]) }
    try body()
  }
}
