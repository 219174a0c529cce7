import Foundation

/// The image that guests share: one that exists, or a temporary one made of a directory tree.
final class DensityImage {
  let path: String
  /// The tree that the image was made of. Nil for one that existed before.
  let tree: String?
  private let isTemporary: Bool

  struct Failure: Error, CustomStringConvertible {
    let description: String
  }

  /// How many bytes a tree may hold to be the default.
  private static let usualSize = 100 << 20...800 << 20
  private static let usualTrees = ["/usr/share", "/usr/include", "/usr/bin", "/usr/lib", "/usr"]

  init(existing path: String) {
    self.path = path
    tree = nil
    isTemporary = false
  }

  /// Makes an image of `tree`, or of the first of `usualTrees` that has the usual size.
  init(of tree: String?) throws {
    let tree = try tree ?? Self.usualTree()
    self.tree = tree
    path = NSTemporaryDirectory() + "/gup-density-\(UUID().uuidString).erofs"
    isTemporary = true
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["mkfs.erofs", "-d0", "--quiet", "-x-1", path, tree]
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      throw Failure(description: "mkfs.erofs cannot make an image of \(tree) (it is in the package erofs-utils)")
    }
  }

  deinit {
    if isTemporary { try? FileManager.default.removeItem(atPath: path) }
  }

  private static func usualTree() throws -> String {
    for tree in usualTrees where usualSize.contains(size(of: tree)) { return tree }
    throw Failure(description: "no usual tree of installed files has a few hundred megabytes: name one")
  }

  /// Bytes of the regular files below a directory. Counting stops once there are too many for the usual size.
  private static func size(of tree: String) -> Int {
    let keys: Set<URLResourceKey> = [.fileSizeKey, .isRegularFileKey]
    let files = FileManager.default.enumerator(
      at: URL(fileURLWithPath: tree), includingPropertiesForKeys: Array(keys))
    var total = 0
    while let file = files?.nextObject() as? URL, total <= usualSize.upperBound {
      guard let values = try? file.resourceValues(forKeys: keys), values.isRegularFile == true else { continue }
      total += values.fileSize ?? 0
    }
    return total
  }
}
