import Foundation
import SeededRandom
import TestSupport
import Testing

/// `gup image` and `gup density`, as programs.
@Suite(.enabled(if: Tool.hasMkfs, "mkfs.erofs is not installed"), .offThePool)
struct ImageToolTests {
  private let directory: TemporaryDirectory
  private var image: String { directory["image"] }

  init() throws {
    directory = try TemporaryDirectory()
    try FileManager.default.createDirectory(atPath: directory["tree/inner"], withIntermediateDirectories: true)
    try SampleTree.write(Array("hello\n".utf8), to: directory["tree/hello"])
    try SampleTree.write([UInt8](repeating: 0x41, count: 100_000), to: directory["tree/inner/long"])
    try SampleTree.write([], to: directory["tree/odd\u{1b}[2Jname"])
    symlink("inner/long", directory["tree/link"])
    chmod(directory["tree/hello"], 0o4755)
    try Tool.makeImage(of: directory["tree"], at: image, ["-x-1", "-T0", "--all-root"])
  }

  @Test func lists() throws {
    let listing = try Tool.gup("image", "ls", image)
    #expect(listing.status == 0)
    #expect(
      listing.output == """
        -rwsr-xr-x   1     0     0          6 tail       hello
        drwxr-xr-x   2     0     0         43 tail       inner
        lrwxrwxrwx   1     0     0         10 tail       link -> inner/long
        -rw-r--r--   1     0     0          0 blocks     odd\\x1b[2Jname

        """)
    let recursive = try Tool.gup("image", "ls", "-r", "--json", image, "/")
    #expect(recursive.status == 0)
    let names = try recursive.output.split(separator: "\n").map { line in
      let object = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
      return object?["name"] as? String
    }
    #expect(names == ["hello", "inner", "inner/long", "link", "odd\\x1b[2Jname"])
  }

  @Test func prints() throws {
    let hello = try Tool.gup("image", "cat", image, "/hello", "hello")
    #expect(hello.status == 0)
    #expect(hello.output == "hello\nhello\n")
    #expect(try Tool.gup("image", "cat", image, "/link").output == String(repeating: "A", count: 100_000))
    let directory = try Tool.gup("image", "cat", image, "/inner")
    #expect(directory.status == 1)
    #expect(directory.output == "gup: \(image): /inner: is a directory, no regular file\n")
    let missing = try Tool.gup("image", "cat", image, "/none")
    #expect(missing.status == 1)
    #expect(missing.output == "gup: \(image): /none: no such file or directory\n")
  }

  @Test func verifies() throws {
    let sound = try Tool.gup("image", "verify", image)
    #expect(sound.status == 0)
    #expect(sound.output.hasSuffix(": ok\n"))
    var edited = try EditedImage(of: directory["tree"], options: ["-x-1"])
    edited.set(UInt32(0x00ff_ffff), at: try edited.position(of: "/inner/long") + 16)
    try SampleTree.write(edited.bytes, to: directory["broken"])
    let broken = try Tool.gup("image", "verify", directory["broken"])
    #expect(broken.status == 1)
    #expect(broken.output.contains("inner/long: file data at offset 68719472640, "))
    #expect(broken.output.hasSuffix(": 1 wrong\n"))
    let listing = try Tool.gup("image", "ls", "-r", directory["broken"])
    #expect(listing.status == 1)
    #expect(listing.output.contains("hello") && listing.output.contains("gup: "))
  }

  @Test func saysWhyAnImageCannotBeOpened() throws {
    let text = try Tool.gup("image", "ls", directory["tree/inner/long"])
    #expect(text.status == 1)
    #expect(
      text.output
        == "gup: \(directory["tree/inner/long"]): not an EROFS image: the magic number is 0x41414141, not 0xe0f5e1e2\n")
    let missing = try Tool.gup("image", "verify", directory["missing"])
    #expect(missing.status == 1)
    #expect(missing.output == "gup: \(directory["missing"]): No such file or directory\n")
    try Tool.makeImage(of: directory["tree"], at: directory["tails"], ["-zlz4hc", "-Eztailpacking"])
    #expect(
      try Tool.gup("image", "ls", directory["tails"]).output
        == "gup: \(directory["tails"]): unsupported incompatible feature: ztailpacking\n")
  }

  @Test(arguments: [["ls"], ["ls", "--json"], ["verify"], ["verify", "--json"], ["cat"]])
  func aLostReportIsNoSuccess(words: [String]) throws {
    let path = words[0] == "cat" ? "/hello" : ""
    for (redirection, reason) in [("> /dev/full", "ENOSPC"), (">&-", "EBADF")] {
      let run = try Tool.shell(
        "'\(Tool.gup)' image \(words.joined(separator: " ")) '\(image)' \(path) \(redirection)")
      #expect(run.status == 74)
      #expect(
        run.errors.hasPrefix("gup: standard output cannot be written to: ") && run.errors.hasSuffix("(\(reason))\n"))
    }
  }

  @Test func measuresDensity() throws {
    var random = SplitMix64(seed: 5)
    try SampleTree.write(random.bytes(8 << 20), to: directory["tree/much"])
    let run = try Tool.gup(
      "density", directory["tree"], "--guests", "5", "--memory", "100", "--guest-memory", "1", "--json", "--svg",
      directory["plot"])
    #expect(run.status == 0)
    let object = try JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [String: Any]
    let result = try #require(object)
    let pages = try #require(result["imagePages"] as? Int)
    #expect(pages > 2048)
    let points = try #require(result["points"] as? [[String: Any]])
    let last = try #require(points.last)
    #expect(last["guests"] as? Int == 5)
    // Each guest writes 64 bytes for each page; the kernel counts whole pages.
    let linux = try #require(last["linuxDescriptors"] as? Int)
    #expect((5 * pages * 64..<5 * pages * 64 * 2).contains(linux))
    // Four nodes a guest: two levels above, one for 2 MiB each, one for the pages that do not fill 2 MiB.
    #expect(result["tableNodesPerGuest"] as? Int == 4)
    #expect(last["special"] as? Int == 5 * 4 * 4096)
    let own = try #require(last["descriptors"] as? Int)
    #expect((5 * pages * 8..<linux).contains(own))
    let plot = try String(contentsOfFile: directory["plot"], encoding: .utf8)
    #expect(plot.hasPrefix("<svg ") && plot.hasSuffix("</svg>\n"))
    #expect(plot.components(separatedBy: "<polyline").count == 5)
    #expect(try Tool.gup("density", "--guests", "0").status != 0)
    let lost = try Tool.shell("'\(Tool.gup)' density --image '\(image)' --guests 2 > /dev/full")
    #expect(lost.status == 74)
    #expect(lost.errors.contains("ENOSPC"))
  }

  /// The file of a plot is opened before anything is measured, and never over the image.
  @Test func aPlotThatCannotBeWrittenIsReportedFirst() throws {
    let missing = try Tool.gup("density", "--image", image, "--guests", "2", "--svg", directory["none/plot"])
    #expect(missing.status == 1)
    #expect(missing.output == "gup: cannot write \(directory["none/plot"]): No such file or directory (ENOENT)\n")
    let over = try Tool.gup("density", "--image", image, "--guests", "2", "--svg", image)
    #expect(over.status == 1)
    #expect(over.output == "gup: cannot write \(image): it is the image\n")
    #expect(try Tool.gup("image", "verify", image).status == 0)
  }
}
