import TestSupport
import Testing
import UserPagesEROFS

/// Images made to break the reader: each is refused, with the reason.
@Suite(.enabled(if: Tool.hasMkfs, "mkfs.erofs is not installed"))
struct MaliciousTests {
  private let original: EditedImage

  init() throws {
    original = try EditedImage(of: try SampleTree.path.get(), options: ["-x-1", "-Eforce-inode-extended"])
  }

  /// Opens `path` in an image in which `edit` changed that path's inode, and reads it whole.
  private func read(
    _ path: String, in image: EditedImage? = nil, after edit: (inout EditedImage, Int) -> Void
  ) throws -> EROFSError? {
    var edited = image ?? original
    edit(&edited, try edited.position(of: path))
    let opened = try edited.open()
    do {
      let inode = try opened.inode(at: path, followLast: false)
      switch inode.type {
      case .directory: _ = try opened.entries(of: inode)
      case .symbolicLink: _ = try opened.target(of: inode)
      default: _ = try opened.contents(of: inode)
      }
      return nil
    } catch {
      return error
    }
  }

  private func isOutside(_ error: EROFSError?, _ part: EROFSError.Part) -> Bool {
    guard case .outsideImage(part, _, _, original.bytes.count)? = error else { return false }
    return true
  }

  @Test func sizesAndBlocksOutsideTheImage() throws {
    for size in [1 << 31, 1 << 62, UInt64(Int.max), UInt64(original.bytes.count) + 1] {
      #expect(isOutside(try read("/size-65536") { $0.set(size, at: $1 + 8) }, .data), "\(size)")
      #expect(isOutside(try read("/size-70000") { $0.set(size, at: $1 + 8) }, .data), "\(size)")
    }
    for size in [1 << 63, UInt64.max] {
      guard case .corruptInode(_, .size(size))? = try read("/size-65536", after: { $0.set(size, at: $1 + 8) }) else {
        Issue.record("\(size) was not refused")
        continue
      }
    }
    for block in [UInt32(original.bytes.count / 4096), 0x7fff_ffff, .max] {
      #expect(isOutside(try read("/size-65536") { $0.set(block, at: $1 + 16) }, .data), "\(block)")
      #expect(isOutside(try read("/many") { $0.set(block, at: $1 + 16) }, .data), "\(block)")
    }
  }

  @Test func formatsThatDoNotExist() throws {
    let format = try read("/text") { $0.set(UInt16(0x8005), at: $1) }
    guard case .corruptInode(_, .format(0x8005))? = format else { throw format ?? .invalidArgument }
    for layout in [5, 6, 7] as [UInt16] {
      let error = try read("/text") { $0.set(layout << 1 | 1, at: $1) }
      guard case .corruptInode(_, .layout(UInt8(layout)))? = error else { throw error ?? .invalidArgument }
    }
    let mode = try read("/text") { $0.set(UInt16(0o30644), at: $1 + 4) }
    guard case .corruptInode(_, .mode(0o30644))? = mode else { throw mode ?? .invalidArgument }
    let pipe = try read("/pipe") { $0.set(UInt64(5), at: $1 + 8) }
    guard case .corruptInode(_, .size(5))? = pipe else { throw pipe ?? .invalidArgument }
  }

  @Test func tailsThatLeaveTheirBlock() throws {
    // The size of the whole file, so that more of it should stand beside the inode than there is room for.
    let error = try read("/size-1") { $0.set(UInt64(4096), at: $1 + 8) }
    guard case .corruptInode(_, .tailCrossesBlock)? = error else { throw error ?? .invalidArgument }
  }

  @Test func linksWithoutTargets() throws {
    for size in [0, 4096, 5000] as [UInt64] {
      let error = try read("/link") { image, inode in
        image.set(size, at: inode + 8)
        image.set(UInt16(1), at: inode)
        image.set(UInt32(0), at: inode + 16)
      }
      guard case .corruptLink(_, size: Int(size))? = error else { throw error ?? .invalidArgument }
    }
    let error = try read("/link") { image, inode in image.set(UInt8(0), at: inode + 64 + 1) }
    guard case .corruptLink(_, size: 4)? = error else { throw error ?? .invalidArgument }
  }

  @Test func directoriesThatContradictThemselves() throws {
    let image = try original.open()
    let many = try image.inode(at: "/many")
    guard case .block(let block) = try image.page(0, of: many) else { throw EROFSError.invalidArgument }
    let start = block * 4096
    let second = start + 12
    let firstName = Int(original.bytes[start + 8]) | Int(original.bytes[start + 9]) << 8
    let cases: [(EROFSError.DirectoryDefect, UInt16, at: Int)] = [
      (.firstName, 0, start + 8), (.firstName, 11, start + 8), (.firstName, 13, start + 8),
      (.firstName, 4104, start + 8), (.firstName, .max, start + 8), (.nameLength, UInt16(firstName), second + 8),
      (.nameOffset, .max, second + 8), (.nameOffset, 0, second + 8), (.nameBytes, 0x2f2f, firstName + start + 1),
      (.nameBytes, 0, firstName + start + 3), (.order, 0xffff, firstName + start),
    ]
    for (defect, value, position) in cases {
      let error = try read("/many") { image, _ in image.set(value, at: position) }
      #expect(error == .corruptDirectory(many.node, block: 0, defect), "\(defect) \(value)")
    }
    let short = try read("/many") { $0.set(UInt64(4096 + 5), at: $1 + 8) }
    #expect(short == .corruptDirectory(many.node, block: 1, .tooShort))
    // The second block is the first one again: its names do not come after those before them.
    var repeated = original
    for offset in 0..<4096 {
      repeated.set(original.bytes[start + offset], at: start + 4096 + offset, keepChecksum: true)
    }
    #expect(try read("/many", in: repeated) { _, _ in } == .corruptDirectory(many.node, block: 1, .order))
  }

  @Test func directoriesInsideThemselves() throws {
    let image = try original.open()
    let deep = try image.inode(at: "/deep")
    let inner = try original.position(of: "/deep/0")
    // The entry `0` of `deep` now names the root, and in another image `deep` itself. Names there are `.`, `..` and
    // `0`.
    for node in [image.superblock.root, deep.node] {
      var edited = original
      let inDeep = try original.position(of: "/deep") + 64
      #expect(edited.bytes[inDeep + 24 + 10] == EROFSImage.FileType.directory.rawValue && inner > 0)
      edited.set(node.rawValue, at: inDeep)
      edited.set(node.rawValue, at: inDeep + 24)
      let opened = try edited.open()
      let report = opened.verify(from: try opened.inode(at: "/"))
      #expect(report.problems.contains { $0.error == .directoryLoop(node) })
      let path = "/deep" + String(repeating: "/0", count: 100)
      #expect(throws: Never.self) { try? opened.inode(at: path) }
    }
  }

  @Test func nodesOutsideTheImage() throws {
    let inDeep = try original.position(of: "/deep") + 64
    for node in [UInt64.max, 1 << 59, 1 << 58, UInt64(original.bytes.count / 32), 0x7fff_ffff_ffff] {
      var edited = original
      for entry in [0, 12, 24] { edited.set(node, at: inDeep + entry) }
      let opened = try edited.open()
      let report = opened.verify(from: try opened.inode(at: "/"))
      #expect(report.problems.contains { isOutside($0.error, .inode) }, "\(node)")
    }
  }

  @Test func chunksOutsideTheImage() throws {
    let chunked = try EditedImage(
      of: try SampleTree.path.get(), options: ["-x-1", "--chunksize=8192", "-Eforce-inode-extended"])
    func part(_ error: EROFSError?) -> EROFSError.Part? {
      if case .outsideImage(let part, _, _, _)? = error { part } else { nil }
    }
    for block in [UInt32(chunked.bytes.count / 4096), UInt32.max - 1] as [UInt32] {
      #expect(part(try read("/size-70000", in: chunked) { $0.set(block, at: $1 + 64 + 4) }) == .data)
    }
    for size in [1 << 40, 1 << 62, UInt64(Int.max)] as [UInt64] {
      #expect(part(try read("/size-70000", in: chunked) { $0.set(size, at: $1 + 8) }) == .chunkTable, "\(size)")
    }
    let format = try read("/size-70000", in: chunked) { $0.set(UInt16(0x41), at: $1 + 16) }
    guard case .corruptInode(_, .chunkFormat(0x41))? = format else { throw format ?? .invalidArgument }
    // Holes of 2^43 bytes each: sizes that no memory holds are refused, and verified without looking at each page.
    var sparse = chunked
    let inode = try sparse.position(of: "/size-70000")
    sparse.set(UInt16(31), at: inode + 16)
    sparse.set(UInt64(5 << 43), at: inode + 8)
    for entry in 0..<5 { sparse.set(UInt32.max, at: inode + 64 + 4 * entry) }
    let opened = try sparse.open()
    let file = try opened.inode(at: "/size-70000")
    #expect(throws: EROFSError.tooLarge(file.node, size: 5 << 43)) { try opened.contents(of: file, limit: .max) }
    let report = opened.verify(from: try opened.inode(at: "/"))
    #expect(report.problemCount == 0 && report.holes == 5 << 31)
    #expect(try opened.page((5 << 31) - 1, of: file) == .hole)
    #expect(try opened.page(5 << 31, of: file) == .beyondEnd)
  }
}
