import TestSupport
import Testing
import UserPagesEROFS

/// Names, links and the ways between them.
@Suite(.enabled(if: Tool.hasMkfs, "mkfs.erofs is not installed"))
struct PathTests {
  private let image: EROFSImage

  init() throws {
    image = try EditedImage(of: try SampleTree.path.get()).open()
  }

  private func text(_ path: String) throws -> String {
    String(decoding: try image.contents(of: try image.inode(at: path)), as: UTF8.self)
  }

  @Test func findsFiles() throws {
    let bottom = "/deep/" + (0..<40).map(String.init).joined(separator: "/") + "/file"
    #expect(try text(bottom) == "bottom")
    for path in ["/text", "text", "//text", "/./text", "/deep/../text", "/../../text", "/deep/0/1/../../../text"] {
      #expect(try text(path) == "text\n")
    }
    #expect(try image.inode(at: "/").node == image.superblock.root)
    #expect(try image.inode(at: "").node == image.superblock.root)
    #expect(try image.inode(at: "/deep/").type == .directory)
    #expect(try image.inode(at: Array("/names/".utf8) + [0xff, 0xfe, 0x80]).type == .regular)
  }

  @Test func followsLinks() throws {
    for path in ["/link", "/absolute", "/up/text", "/up/up/link", "/to directory/../text"] {
      #expect(try text(path) == "text\n")
    }
    #expect(try image.inode(at: "/link", followLast: false).type == .symbolicLink)
    #expect(try image.inode(at: "/to directory").type == .directory)
    #expect(try image.target(of: try image.inode(at: "/link", followLast: false)) == Array("text".utf8))
  }

  @Test func namesWhatIsWrong() throws {
    let long = String(repeating: "n", count: 256)
    let path = String(repeating: "x/", count: 2048)
    let cases: [(String, EROFSError)] = [
      ("/nothing", .notFound("/nothing")),
      ("/dangling", .notFound("/dangling")),
      ("/text/", .notADirectory("/text/")),
      ("/text/more", .notADirectory("/text/more")),
      ("/text/..", .notADirectory("/text/..")),
      ("/loop", .tooManyLinks("/loop")),
      ("/ping/more", .tooManyLinks("/ping/more")),
      ("/" + long, .nameTooLong("/" + long)),
      (path, .nameTooLong(path)),
    ]
    for (path, expected) in cases {
      #expect(throws: expected) { try image.inode(at: path) }
    }
    let text = try image.inode(at: "/text")
    #expect(throws: EROFSError.wrongType(text.node, .regular)) { try image.entries(of: text) }
    #expect(throws: EROFSError.wrongType(text.node, .regular)) { try image.target(of: text) }
  }

  @Test func hardLinksAreOneFile() throws {
    let first = try image.inode(at: "/text")
    #expect(try image.inode(at: "/text again") == first)
    #expect(first.linkCount == 2)
    #expect(first.permissions == 0o4751)
  }

  @Test func looksUpEveryNameAndNoOther() throws {
    let many = try image.inode(at: "/many")
    let entries = try image.entries(of: many)
    #expect(entries.count == 1502)
    for entry in entries {
      #expect(try image.lookUp(entry.name, in: many) == entry)
      #expect(try image.lookUp(entry.name + [0x7e], in: many) == nil)
      #expect(try image.lookUp([0x01] + entry.name, in: many) == nil)
    }
    #expect(try image.lookUp([], in: many) == nil)
    #expect(try image.lookUp([0xff], in: many) == nil)
    #expect(try image.lookUp([0x2e, 0x2e], in: many)?.node == image.superblock.root)
  }

  @Test func readsLikeASystemCall() throws {
    let file = try image.inode(at: "/size-8193")
    let all = try image.contents(of: file)
    for (offset, count) in [(0, 1), (4095, 2), (4096, 4096), (8191, 100), (8192, 1), (0, .max), (5, 8000)] {
      let end = count < 8193 - offset ? offset + count : 8193
      #expect(try image.read(file, at: offset, count: count) == Array(all[offset..<end]))
    }
    #expect(try image.read(file, at: 8193, count: 5) == [])
    #expect(try image.read(file, at: .max, count: .max) == [])
    #expect(throws: EROFSError.invalidArgument) { try image.read(file, at: -1, count: 1) }
    #expect(throws: EROFSError.invalidArgument) { try image.read(file, at: 0, count: -1) }
    #expect(throws: EROFSError.tooLarge(file.node, size: 8193)) { try image.contents(of: file, limit: 8192) }
  }
}
