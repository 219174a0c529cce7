import Foundation
import TestSupport
import Testing
import UserPages
import UserPagesEROFS

/// What an image may cost that was made to cost much, or that changes while it is read.
@Suite(.enabled(if: Tool.hasMkfs, "mkfs.erofs is not installed"))
struct ResourceTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  /// Runs `gup image verify` with a limit on the memory that it may write to.
  private func verify(_ image: String, mebibytes: Int) throws -> Tool.Run {
    try Tool.run(
      "/bin/sh", ["-c", "ulimit -d \(mebibytes << 10) && exec \"$0\" image verify \"$1\"", Tool.gup, image],
      isMerged: true)
  }

  /// What the program takes for itself, with a margin; the first expectation shows that it is enough.
  private static let ownMebibytes = 40

  /// Names that share a path of 4 KB, so that their paths take 250 times the memory of the image.
  @Test(
    .enabled(if: dlsym(nil, "__asan_init") == nil, "the limit would count AddressSanitizer's own memory"),
    arguments: [1, 40_000])
  func verifyingTakesBoundedMemory(files: Int) throws {
    try SampleTree.write(HandmadeImage.deepDirectory(names: 3, files: 3), to: directory["small"])
    let small = try verify(directory["small"], mebibytes: Self.ownMebibytes)
    #expect(small.status == 0, "\(small.output)")
    #expect(
      small.output == "19 names (regular file: 3, directory: 16), 0 bytes in 0 blocks, 0 tails, 0 pages of holes: ok\n")

    let names = files == 1 ? 65_535 : 110_000
    try SampleTree.write(HandmadeImage.deepDirectory(names: names, files: files), to: directory["hostile"])
    let hostile = try verify(directory["hostile"], mebibytes: Self.ownMebibytes + 64)
    #expect(hostile.status == 0, "\(hostile.output.suffix(1000))")
    #expect(hostile.output.hasPrefix("\(names + 16) names (regular file: \(files), directory: 16)"))
  }

  @Test func linkCountsAreReportedWithPaths() throws {
    var bytes = HandmadeImage.deepDirectory(names: 4, files: 2)
    // The second file says that it has nine names.
    bytes[4096 + 17 * 32 + 6] = 9
    let image = try EROFSImage(bytes: bytes)
    let report = image.verify(from: try image.inode(at: "/"))
    #expect(report.problemCount == 1)
    let problem = try #require(report.problems.first)
    #expect(problem.error == .corruptInode(EROFSImage.NodeID(17), .linkCount(stored: 9, found: 2)))
    #expect(problem.text.hasSuffix("/AAAB"))
  }

  /// A pipe that no process writes to: it is refused, and nothing waits.
  @Test func pipesAreRefused() throws {
    mkfifo(directory["pipe"], 0o600)
    for command in ["verify", "ls"] {
      let run = try Tool.run(
        "/bin/sh", ["-c", "exec timeout -s KILL 20 \"$0\" image \(command) \"$1\"", Tool.gup, directory["pipe"]],
        isMerged: true)
      #expect(run.status == 1)
      #expect(run.output == "gup: \(directory["pipe"]): neither a regular file nor a block device\n")
    }
    #expect(throws: EROFSError.notAFile(path: directory.path)) { try EROFSImage(path: directory.path) }
    #expect(throws: EROFSError.cannotOpen(path: directory["none"], errno: ENOENT)) {
      try EROFSImage(path: directory["none"])
    }
  }

  /// `gup image cat` waits for its pipe to be read while the image is truncated.
  @Test func truncationUnderCatIsAnError() throws {
    try FileManager.default.createDirectory(atPath: directory["tree"], withIntermediateDirectories: true)
    try SampleTree.write([UInt8](repeating: 0x41, count: 3 << 20), to: directory["tree/long"])
    try Tool.makeImage(of: directory["tree"], at: directory["image"])
    let script = """
      { "$0" image cat "$1" /long; echo "status $?" >&2; } | \
      { head -c 1000 >/dev/null; truncate -s 8192 "$1"; cat >/dev/null; }
      """
    let run = try Tool.run("/bin/sh", ["-c", script, Tool.gup, directory["image"]], isMerged: true)
    #expect(run.output.contains("gup: \(directory["image"]): 1048576 bytes at offset"), "\(run.output)")
    #expect(run.output.contains("(EIO)"))
    #expect(run.output.hasSuffix("status 1\n"))
  }

  @Test func truncationIsAnErrorOfTheRead() throws {
    try Tool.makeImage(of: try SampleTree.path.get(), at: directory["image"], ["-x-1"])
    let image = try EROFSImage(path: directory["image"])
    let file = try image.inode(at: "/size-70000")
    truncate(directory["image"], 8192)
    #expect {
      try image.contents(of: file)
    } throws: { error in
      if case EROFSError.unreadable = error { true } else { false }
    }
    #expect(image.verify(from: try image.inode(image.superblock.root)).problemCount > 0)
  }

  /// A mounted image that is a real file, truncated under its mappings: whole blocks and the copied tail are bus
  /// errors.
  @Test func truncationUnderAMappingIsABusError() throws {
    try Tool.makeImage(of: try SampleTree.path.get(), at: directory["image"], ["-x-1"])
    let memory = try PhysicalMemory(ramPages: 64)
    do {
      let volume = try EROFSVolume(try Image(memory, path: directory["image"]))
      let file = try volume.file(at: "/size-8193")
      let space = AddressSpace(memory)
      try space.map(at: 0x10000, pages: 3, protection: .readWrite, backing: .mixed(file))
      #expect(try space.load(at: 0x10000, count: 4096) == (try file.read(at: 0, count: 4096)))
      truncate(directory["image"], 0)
      for page in 0..<3 {
        // The volume copies the tail itself, and finds it damaged.
        let error = page < 2 ? PageError.busErrorOfFile(.readWhole, errno: EIO) : .busError
        #expect(throws: error) { try space.load(at: 0x10000 + page * Page.size, as: UInt8.self) }
        #expect(throws: error) { try space.store(UInt8(1), at: 0x10000 + page * Page.size) }
      }
      #expect(throws: EROFSError.self) { try file.read(at: 0, count: 8193) }
      #expect(throws: EROFSError.self) { try volume.file(at: "/text") }
      space.exit()
    }
    memory.flushDeferredFrees()
    #expect(memory.census().isClean)
  }
}
