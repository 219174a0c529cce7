import Foundation
import SeededRandom
import TestSupport
import Testing
import UserPagesEROFS

/// Real images with random damage. Whatever they say, nothing may trap, and nothing may be read outside the image.
///
/// The damage follows from the number of a case, so that a case that fails can be run again: `EROFS_FUZZ_CASES` says
/// how many cases are run and `EROFS_FUZZ_FIRST` with which one they begin.
@Suite(.enabled(if: Tool.hasMkfs, "mkfs.erofs is not installed"))
struct FuzzTests {
  static let options: [[String]] = [
    [], ["-Eforce-inode-extended"], ["-x-1", "--chunksize=4096"], ["-Eforce-chunk-indexes", "--chunksize=8192"],
    ["-zlz4hc"],
  ]

  /// A tree that fits in a few blocks, so that most damage hits something that matters.
  private static func tree(in directory: TemporaryDirectory) throws {
    var random = SplitMix64(seed: 4)
    for size in [0, 1, 100, 4096, 5000, 12_388, 20_000] {
      try SampleTree.write(random.bytes(size), to: directory["size-\(size)"])
    }
    try SampleTree.write([UInt8](repeating: 0x42, count: 9000), to: directory["same"])
    symlink("directory/3", directory["link"])
    symlink("..", directory["up"])
    try FileManager.default.createDirectory(
      atPath: directory["directory/inner/most"], withIntermediateDirectories: true)
    for index in 0..<300 {
      try SampleTree.write(Array(String(index).utf8), to: directory["directory/a name that takes space \(index)"])
    }
    link(directory["same"], directory["directory/inner/same"])
    mkfifo(directory["pipe"], 0o600)
  }

  @Test(arguments: options)
  func damageIsReported(_ options: [String]) throws {
    let directory = try TemporaryDirectory()
    try Self.tree(in: directory)
    let original = try EditedImage(of: directory.path, options: options)
    let metadata = try Self.metadata(of: original.open())
    let first = TestEnvironment.number("EROFS_FUZZ_FIRST", in: 0...Int.max >> 8, default: 0)
    // At least one case for each set of options.
    let cases = TestEnvironment.number("EROFS_FUZZ_CASES", in: Self.options.count...1 << 40, default: 1500)
    var opened = 0
    var reported = 0
    for number in first..<first + cases / Self.options.count {
      var random = SplitMix64(seed: UInt64(number) << 8 | UInt64(options.count))
      let source = GuardedSource(Self.damaged(original, metadata, &random).bytes)
      do {
        let image = try EROFSImage(source)
        opened += 1
        reported += try Self.exercise(image, &random) == 0 ? 0 : 1
      } catch is EROFSError {
        reported += 1
      }
      #expect(source.readsOutside == 0, "case \(number)")
    }
    #expect(opened > 0 && reported > 0)
  }

  /// The blocks that hold no file's data: damage there matters most.
  private static func metadata(of image: EROFSImage) throws -> [Int] {
    var data: Set<Int> = []
    try image.walk(from: try image.inode(at: "/")) { (_, result) throws(EROFSError) in
      guard case .success(let inode) = result, inode.type == .regular, inode.layout != .compressed else { return true }
      for index in 0..<inode.pages {
        if case .block(let block) = try image.page(index, of: inode) { data.insert(block) }
      }
      return true
    } failed: { (_, _) throws(EROFSError) in
    }
    return (0..<image.byteCount / 4096).filter { !data.contains($0) }
  }

  private static func damaged(
    _ original: EditedImage, _ metadata: [Int], _ random: inout SplitMix64
  ) -> EditedImage {
    var image = original
    if random.next() % 10 == 0 {
      image.truncate(to: Int.random(in: 0...original.bytes.count, using: &random))
    }
    for _ in 0..<Int.random(in: 1...12, using: &random) {
      let block = random.next() % 4 == 0 ? 0 : metadata.randomElement(using: &random) ?? 0
      let position = block * 4096 + Int.random(in: 0..<4088, using: &random)
      guard position + 8 <= image.bytes.count else { continue }
      switch random.next() % 6 {
      case 0: image.set(UInt8(truncatingIfNeeded: random.next()), at: position, keepChecksum: true)
      case 1: image.set(image.bytes[position] ^ 1 << UInt8(random.next() % 8), at: position, keepChecksum: true)
      case 2: image.set(UInt16.random(in: 0...64, using: &random), at: position & ~1, keepChecksum: true)
      case 3: image.set(UInt32.max, at: position & ~3, keepChecksum: true)
      case 4: image.set(random.next(), at: position & ~7, keepChecksum: true)
      default:
        // A piece from elsewhere, as a write that went astray leaves it.
        let from = Int.random(in: 0...image.bytes.count - 8, using: &random) & ~7
        for offset in 0..<8 where (position & ~7) + offset < image.bytes.count {
          image.set(image.bytes[from + offset], at: (position & ~7) + offset, keepChecksum: true)
        }
      }
    }
    if random.next() % 8 != 0 { image.refreshChecksum() }
    return image
  }

  /// Asks everything that can be asked. Returns the number of problems that `verify` found.
  private static func exercise(_ image: EROFSImage, _ random: inout SplitMix64) throws -> Int {
    let root = try image.inode(at: "/")
    var visited: [EROFSImage.Inode] = []
    try image.walk(from: root) { (_, result) throws(EROFSError) in
      if case .success(let inode) = result { visited.append(inode) }
      return true
    } failed: { (_, _) throws(EROFSError) in
    }
    for inode in visited.shuffled(using: &random).prefix(40) {
      let start = Int(truncatingIfNeeded: random.next()) & Int.max
      for offset in [0, inode.size - min(inode.size, 5000), start] {
        _ = try? image.read(inode, at: offset, count: 20_000)
      }
      for page in [0, inode.pages - 1, inode.pages, start] { _ = try? image.page(page, of: inode) }
      _ = try? image.target(of: inode)
      _ = try? image.lookUp(Array("a name".utf8), in: inode)
    }
    for path in ["/link", "/up/up/directory/inner/same", "/directory/a name that takes space 299", "/pipe/x"] {
      _ = try? image.inode(at: path)
    }
    return image.verify(from: root).problemCount
  }
}
