import Foundation
import TestSupport
import Testing
import UserPagesEROFS

/// Thousands of files of an installed system, as a container's image has them.
@Suite(.enabled(if: Tool.hasMkfs, "mkfs.erofs is not installed"))
struct LargeTreeTests {
  /// The tree that `EROFS_TREE` names, or else the first of some usual ones.
  static let tree: String? = {
    if let named = ProcessInfo.processInfo.environment["EROFS_TREE"] { return named }
    return ["/usr/include", "/usr/share/doc", "/usr/share/man", "/usr/share/locale", "/usr/share/zoneinfo"].first {
      SourceFile.names(in: Array($0.utf8)).count > 50
    }
  }()

  @Test(.enabled(if: tree != nil, "no installed tree is large enough"))
  func installedTreeIsTheSame() throws {
    let tree = try #require(Self.tree)
    let directory = try TemporaryDirectory()
    try Tool.makeImage(of: tree, at: directory["image"], ["-x-1"])
    let image = try EROFSImage(path: directory["image"])
    // The tree is only part of a file system: names outside it count as links there, but not in the image.
    let comparison = try TreeComparison(of: image, with: tree)
    #expect(comparison.differences.filter { !$0.contains(": links ") } == [])
    #expect(comparison.files > 500)
    let report = image.verify(from: try image.inode(at: "/"))
    #expect(report.problemCount == 0)
    #expect(report.names == comparison.files)
    #expect(report.bytes <= comparison.bytes)
    print("\(tree): \(report.names) names, \(report.bytes) bytes, \(report.blocks) blocks, \(report.tails) tails")
  }

  @Test(
    .enabled(if: tree != nil, "no installed tree is large enough"),
    .enabled(if: Tool.canMount || Tool.hasFsck, "neither the kernel nor fsck.erofs can read images here"))
  func installedTreeIsWhatTheKernelShows() throws {
    let tree = try #require(Self.tree)
    let directory = try TemporaryDirectory()
    try Tool.makeImage(of: tree, at: directory["image"], ["-x-1"])
    let image = try EROFSImage(path: directory["image"])
    let oracle = directory["oracle"]
    if Tool.canMount {
      try FileManager.default.createDirectory(atPath: oracle, withIntermediateDirectories: true)
      try Tool.withMount(of: directory["image"], at: oracle) {
        let comparison = try TreeComparison(of: image, with: oracle)
        #expect(comparison.differences == [])
      }
    } else {
      try Tool.runInstalled("fsck.erofs", ["--extract=\(oracle)", directory["image"]])
      let comparison = try TreeComparison(of: image, with: oracle, details: [])
      // What is extracted has no hard links.
      #expect(comparison.differences.filter { !$0.contains(": links ") } == [])
    }
  }
}
