import TestSupport
import Testing
import UserPagesEROFS

/// What is refused before anything but the superblock has been read.
@Suite(.enabled(if: Tool.hasMkfs, "mkfs.erofs is not installed"))
struct SuperblockTests {
  private func sample(_ options: [String] = []) throws -> EditedImage {
    try EditedImage(of: try SampleTree.path.get(), options: options)
  }

  private func expect(_ expected: EROFSError, from image: EditedImage, _ at: SourceLocation = #_sourceLocation) {
    #expect(throws: expected, sourceLocation: at) { try image.open() }
  }

  @Test func tellsTheFacts() throws {
    let uuid = "00112233-4455-6677-8899-aabbccddeeff"
    let image = try sample(["-U\(uuid)", "-T1234567"]).open()
    #expect(
      image.superblock.uuid.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
        == uuid.filter { $0 != "-" })
    #expect(image.superblock.buildTime == 1_234_567)
    #expect(image.superblock.hasChecksum)
    #expect(image.superblock.features == [])
    #expect(Int(image.superblock.blocks) * 4096 <= image.byteCount)
    #expect(try sample(["--chunksize=4096"]).open().superblock.features == .chunkedFiles)
    #expect(try !sample(["-Enosbcrc"]).open().superblock.hasChecksum)
  }

  @Test func refusesOtherMagicNumbers() throws {
    var image = try sample()
    image.set(UInt32(0xdead_beef), at: 1024)
    expect(.notEROFS(magic: 0xdead_beef), from: image)
    expect(.notEROFS(magic: 0), from: EditedImage([UInt8](repeating: 0, count: 8192)))
  }

  @Test func refusesWrongChecksums() throws {
    let original = try sample()
    for position in [1030, 1024 + 48, 1024 + 64, 2000, 4095] {
      var image = original
      image.set(image.bytes[position] ^ 0x10, at: position, keepChecksum: true)
      #expect(throws: EROFSError.self) { try image.open() }
      do {
        _ = try image.open()
      } catch {
        guard case .checksumMismatch(let stored, let computed) = error else {
          Issue.record("\(error)")
          continue
        }
        #expect(stored != computed)
      }
      image.refreshChecksum()
      #expect(throws: Never.self) { try image.open() }
    }
  }

  @Test func acceptsWrongChecksumsWhereThereAreNone() throws {
    var image = try sample(["-Enosbcrc"])
    image.set(UInt32(0x1234_5678), at: 1028)
    #expect(throws: Never.self) { try image.open() }
  }

  @Test(arguments: [0, 9, 10, 11, 13, 14, 16, 255] as [UInt8])
  func refusesOtherBlockSizes(_ log2: UInt8) throws {
    var image = try sample()
    image.set(log2, at: 1036)
    expect(.unsupportedBlockSize(log2: log2), from: image)
  }

  @Test func refusesOtherDirectoryBlockSizes() throws {
    var image = try sample()
    image.set(UInt8(2), at: 1024 + 90)
    expect(.unsupportedDirectoryBlockSize(log2: 2), from: image)
  }

  @Test func refusesUnsupportedFeaturesByName() throws {
    let names: [UInt32: String] = [
      0x008: "device_table/compr_head2", 0x010: "ztailpacking", 0x020: "fragments/dedupe", 0x080: "48bit",
      0x100: "metabox", 0x200: "unknown (0x200)", 0x8000_0000: "unknown (0x80000000)",
    ]
    let original = try sample()
    for (bit, name) in names {
      var image = original
      image.set(bit, at: 1024 + 80)
      expect(.unsupportedFeatures([name]), from: image)
      image.set(bit | 0x47, at: 1024 + 80)
      expect(.unsupportedFeatures([name]), from: image)
    }
    var image = original
    image.set(UInt32(0x0000_0098), at: 1024 + 80)
    expect(.unsupportedFeatures(["device_table/compr_head2", "ztailpacking", "48bit"]), from: image)
    #expect(
      EROFSError.unsupportedFeatures(["ztailpacking", "48bit"]).description
        == "unsupported incompatible features: ztailpacking, 48bit")
    for bit in [0x01, 0x02, 0x04, 0x40] as [UInt32] {
      image.set(bit, at: 1024 + 80)
      #expect(throws: Never.self) { try image.open() }
    }
  }

  @Test func refusesTruncatedImages() throws {
    let original = try sample()
    for count in [0, 1, 1023, 1024, 1151, 1152, 4095, 4096, original.bytes.count - 1] {
      var image = original
      image.truncate(to: count)
      let error = #expect(throws: EROFSError.self) { try image.open() }
      guard case .truncated(let needed, let available)? = error else {
        Issue.record("\(count) bytes: \(String(describing: error))")
        continue
      }
      #expect(available == count && needed > UInt64(count))
    }
  }

  @Test func refusesRootsThatAreNoDirectories() throws {
    var image = try sample()
    let text = try image.open().inode(at: "/text")
    image.set(UInt16(text.node.rawValue), at: 1024 + 14)
    expect(.wrongType(text.node, .regular), from: image)
    image.set(UInt32.max, at: 1024 + 40)
    #expect(throws: EROFSError.self) { try image.open() }
  }
}
