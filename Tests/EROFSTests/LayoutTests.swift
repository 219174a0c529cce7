import Foundation
import TestSupport
import Testing
import UserPagesEROFS

/// Images of one tree, made in every way that `mkfs.erofs` knows for uncompressed files.
@Suite(.enabled(if: Tool.hasMkfs, "mkfs.erofs is not installed"))
struct LayoutTests {
  static let options: [[String]] = [
    [],
    ["-x-1"],
    ["-Enoinline_data"],
    ["-Enosbcrc"],
    ["-Eforce-inode-compact", "--ignore-mtime", "--all-root"],
    ["-Eforce-inode-extended"],
    ["--chunksize=4096"],
    ["--chunksize=65536"],
    ["-Eforce-chunk-indexes", "--chunksize=4096"],
    ["-Eforce-inode-extended", "-Eforce-chunk-indexes", "--chunksize=1048576"],
  ]

  @Test(arguments: options)
  func showsTheTreeItWasMadeOf(_ options: [String]) throws {
    let directory = try TemporaryDirectory()
    let source = try SampleTree.path.get()
    try Tool.makeImage(of: source, at: directory["image"], options)
    let image = try EROFSImage(path: directory["image"])
    // A compact inode has no time, and no room for an owner above 65535.
    let isCompact = options.contains("-Eforce-inode-compact")
    let comparison = try TreeComparison(of: image, with: source, details: isCompact ? [] : .all)
    #expect(comparison.differences == [])
    #expect(comparison.files > 1500)
    let report = image.verify(from: try image.inode(at: "/"))
    #expect(report.problems.map { "\($0.text): \($0.error)" } == [])
    #expect(report.names == comparison.files)
  }

  @Test(.enabled(if: Tool.canMount, "the kernel does not mount EROFS images here"), arguments: options)
  func showsWhatTheKernelShows(_ options: [String]) throws {
    let directory = try TemporaryDirectory()
    let source = try SampleTree.path.get()
    try Tool.makeImage(of: source, at: directory["image"], options)
    try FileManager.default.createDirectory(atPath: directory["mount"], withIntermediateDirectories: true)
    let image = try EROFSImage(path: directory["image"])
    try Tool.withMount(of: directory["image"], at: directory["mount"]) {
      let comparison = try TreeComparison(of: image, with: directory["mount"])
      #expect(comparison.differences == [])
    }
  }

  /// Every page of every file is answered for, by the layout that the options ask for, and holds the file's bytes.
  @Test(arguments: options)
  func pagesHoldTheFilesBytes(_ options: [String]) throws {
    let directory = try TemporaryDirectory()
    let source = try SampleTree.path.get()
    try Tool.makeImage(of: source, at: directory["image"], options)
    let bytes = Array(try Data(contentsOf: URL(fileURLWithPath: directory["image"])))
    let image = try EROFSImage(bytes: bytes)
    var kinds: Set<String> = []
    for size in SampleTree.sizes {
      let file = try image.inode(at: "/size-\(size)")
      let expected = try image.contents(of: file)
      var found: [UInt8] = []
      for index in 0..<file.pages {
        switch try image.page(index, of: file) {
        case .block(let block):
          kinds.insert("block")
          found += bytes[block * 4096..<(block + 1) * 4096]
        case .tail(let tail):
          kinds.insert("tail")
          #expect(index == file.pages - 1)
          found += tail
        case .hole:
          found += [UInt8](repeating: 0, count: 4096)
        case .beyondEnd:
          Issue.record("page \(index) of \(size) bytes is beyond the end")
        }
      }
      #expect(found.count >= size && found.prefix(size).elementsEqual(expected))
      #expect(found.dropFirst(size).allSatisfy { $0 == 0 })
      #expect(try image.page(file.pages, of: file) == .beyondEnd)
      #expect(try image.page(.max, of: file) == .beyondEnd)
      #expect(throws: EROFSError.invalidArgument) { try image.page(-1, of: file) }
    }
    let hasTails = !options.contains { $0.contains("noinline") || $0.contains("chunk") }
    #expect(kinds == (hasTails ? ["block", "tail"] : ["block"]))
  }
}
