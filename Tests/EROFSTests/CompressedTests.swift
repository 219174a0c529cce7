import Foundation
import SeededRandom
import TestSupport
import Testing
import UserPagesEROFS

/// Compressed files can be seen but not read; newer kinds of compression are refused with the image.
@Suite(.enabled(if: Tool.hasMkfs, "mkfs.erofs is not installed"))
struct CompressedTests {
  private let directory: TemporaryDirectory

  init() throws {
    directory = try TemporaryDirectory()
    var random = SplitMix64(seed: 2)
    try SampleTree.write([UInt8](repeating: 0x41, count: 100_000), to: directory["same"])
    try SampleTree.write(random.bytes(50_000), to: directory["random"])
    try SampleTree.write(Array("short".utf8), to: directory["short"])
  }

  @Test(arguments: [["-zlz4"], ["-zlz4hc,9"], ["-zlz4hc", "-C65536"], ["-zlz4", "-Elegacy-compress"]])
  func compressedFilesAreRefused(_ options: [String]) throws {
    let image = try EditedImage(of: directory.path, options: options).open()
    let same = try image.inode(at: "/same")
    #expect(same.size == 100_000)
    #expect(same.layout == .compressed)
    let refusal = EROFSError.compressed(same.node)
    #expect(throws: refusal) { try image.read(same, at: 0, count: 1) }
    #expect(throws: refusal) { try image.contents(of: same) }
    #expect(throws: refusal) { try image.page(0, of: same) }
    #expect(throws: refusal) { try image.extent(atPage: 3, of: same) }
    #expect(refusal.description.contains("compressed"))
    #expect(try image.page(same.pages, of: same) == .beyondEnd)
    // What did not shrink was stored as it is, and can be read.
    for name in ["random", "short"] {
      let bytes = try image.contents(of: try image.inode(at: name))
      #expect(bytes == SourceFile.contents(of: Array(directory[name].utf8)))
    }
    let report = image.verify(from: try image.inode(at: "/"))
    #expect(report.problems.map(\.text) == ["same"])
    #expect(report.problems.first?.error == refusal)
  }

  @Test func newerCompressionIsRefusedByName() throws {
    let edited = try EditedImage(of: directory.path, options: ["-zlz4hc", "-Eztailpacking"])
    #expect(throws: EROFSError.unsupportedFeatures(["ztailpacking"])) { try edited.open() }
  }

  @Test func imagesOfSeveralDevicesAreRefusedByName() throws {
    let elsewhere = try TemporaryDirectory()
    let edited = try EditedImage(
      of: directory.path, options: ["--chunksize=4096", "--blobdev=\(elsewhere["blob"])"])
    #expect(throws: EROFSError.unsupportedFeatures(["device_table/compr_head2"])) { try edited.open() }
  }
}
