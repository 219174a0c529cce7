import Foundation
import SeededRandom
import TestSupport
import Testing
import UserPagesEROFS

/// Chunks that take no space in the image.
@Suite(.enabled(if: Tool.hasMkfs, "mkfs.erofs is not installed"))
struct HoleTests {
  /// A file of 20 pages and a bit in chunks of two pages, with the chunks 0, 3, 4 and the last one turned into holes.
  private static func make(wide: Bool) throws -> (EditedImage, expected: [UInt8]) {
    let directory = try TemporaryDirectory()
    var random = SplitMix64(seed: 3)
    var expected = random.bytes(20 * 4096 + 77)
    try SampleTree.write(expected, to: directory["file"])
    let options = ["-x-1", "--chunksize=8192"] + (wide ? ["-Eforce-chunk-indexes"] : [])
    var edited = try EditedImage(of: directory.path, options: options)
    let inode = try edited.position(of: "/file")
    let entry = wide ? 8 : 4
    let table = (inode + (edited.bytes[inode] & 1 == 0 ? 32 : 64) + entry - 1) / entry * entry
    for chunk in [0, 3, 4, 10] {
      edited.set(UInt32.max, at: table + chunk * entry + entry - 4)
      let end = min(expected.count, (chunk + 1) * 8192)
      expected.replaceSubrange(chunk * 8192..<end, with: repeatElement(0, count: end - chunk * 8192))
    }
    return (edited, expected)
  }

  @Test(arguments: [false, true])
  func holesAreZero(wide: Bool) throws {
    let (edited, expected) = try Self.make(wide: wide)
    let image = try edited.open()
    let file = try image.inode(at: "/file")
    #expect(try image.contents(of: file) == expected)
    let holes = try (0..<file.pages).filter { try image.page($0, of: file) == .hole }
    #expect(holes == [0, 1, 6, 7, 8, 9, 20])
    let extent = try image.extent(atPage: 7, of: file)
    #expect(extent?.fileOffset == 7 * 4096 && extent?.byteCount == 4096 && extent?.place == .hole)
    let report = image.verify(from: try image.inode(at: "/"))
    #expect(report.problemCount == 0)
    #expect(report.holes == 7 && report.blocks == 14)
  }

  @Test(.enabled(if: Tool.canMount, "the kernel does not mount EROFS images here"), arguments: [false, true])
  func theKernelSeesTheSameHoles(wide: Bool) throws {
    let (edited, expected) = try Self.make(wide: wide)
    let directory = try TemporaryDirectory()
    try SampleTree.write(edited.bytes, to: directory["image"])
    try FileManager.default.createDirectory(atPath: directory["mount"], withIntermediateDirectories: true)
    try Tool.withMount(of: directory["image"], at: directory["mount"]) {
      #expect(SourceFile.contents(of: Array(directory["mount/file"].utf8)) == expected)
    }
  }
}
