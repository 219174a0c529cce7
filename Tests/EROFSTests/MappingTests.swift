import Foundation
import TestSupport
import Testing
import UserPages
import UserPagesEROFS

/// Files of an image, mapped: blocks by frame number, tails as refcounted frames.
@Suite(.enabled(if: Tool.hasMkfs, "mkfs.erofs is not installed"))
struct MappingTests {
  /// Runs `body` on a machine with a mounted image of the sample tree, and checks that nothing is lost at the end.
  private func withVolume(
    _ options: [String] = [], edit: (inout EditedImage) throws -> Void = { _ in },
    _ body: (PhysicalMemory, EROFSVolume) throws -> Void
  ) throws {
    let memory = try PhysicalMemory(ramPages: 1024)
    do {
      var edited = try EditedImage(of: try SampleTree.path.get(), options: options)
      try edit(&edited)
      let volume = try EROFSVolume(try Image(memory, contents: edited.bytes))
      try body(memory, volume)
      volume.drop()
    }
    memory.flushDeferredFrees()
    #expect(memory.census().isClean)
    #expect(memory.freePages == memory.ramPages)
  }

  @Test(arguments: LayoutTests.options)
  func mappingsShowTheFilesBytes(_ options: [String]) throws {
    try withVolume(options) { memory, volume in
      for size in SampleTree.sizes where size > 0 {
        let space = AddressSpace(memory)
        let file = try volume.file(at: "/size-\(size)")
        try space.map(at: 0x10000, pages: file.pageCount + 1, protection: .read, backing: .mixed(file))
        let bytes = try space.load(at: 0x10000, count: file.pageCount * Page.size)
        #expect(try file.read(at: 0, count: size) == Array(bytes.prefix(size)))
        #expect(bytes.dropFirst(size).allSatisfy { $0 == 0 })
        #expect(throws: PageError.busError) {
          try space.load(at: 0x10000 + file.pageCount * Page.size, as: UInt8.self)
        }
      }
      // All those mappings took no more frames than there are tails.
      memory.flushDeferredFrees()
      let hasTails = try volume.file(at: "/size-1").inode.layout.hasTail
      #expect(memory.census().framesInUse <= (hasTails ? SampleTree.sizes.count : 0))
    }
  }

  @Test func oneMappingHoldsBothKindsOfEntry() throws {
    try withVolume(["-x-1"]) { memory, volume in
      let space = AddressSpace(memory)
      let file = try volume.file(at: "/size-8193")
      try space.map(at: 0x10000, pages: 3, protection: .readWrite, backing: .mixed(file))
      _ = try space.load(at: 0x10000, count: 8193)
      #expect(space.entry(at: 0x10000).description == "special r")
      #expect(space.entry(at: 0x11000).description == "special r")
      #expect(space.entry(at: 0x12000).description == "normal r")
      #expect(space.frameInformation(at: 0x10000) == nil)
      #expect(memory.census().framesInUse == 1)
      // No descriptor to take a reference on; the tail has one.
      #expect(throws: PageError.badAddress) { _ = try space.pin(at: 0x10000) }
      let pin = try space.pin(at: 0x12000)
      #expect(pin.deviceBytes.copy(fromByteOffset: 0, count: 1) == (try file.read(at: 8192, count: 1)))
      pin.release()
      // Copy-on-write gives both kinds frames of their own, and leaves the file as it is.
      let before = try file.read(at: 0, count: 8193)
      for address in [0x10000, 0x12000] as [VirtualAddress] {
        try space.store(UInt8(before[0] ^ 0xff), at: address)
        #expect(space.entry(at: address).description == "normal rw dirty")
        let pin = try space.pin(at: address, .write)
        pin.deviceBytes.store(UInt8(7))
        pin.release(dirty: true)
        #expect(try space.load(at: address, as: UInt8.self) == 7)
      }
      #expect(try file.read(at: 0, count: 8193) == before)
      space.exit()
    }
  }

  @Test func spacesShareOneFramePerTail() throws {
    try withVolume(["-x-1"]) { memory, volume in
      let spaces = (0..<16).map { _ in AddressSpace(memory) }
      for space in spaces {
        let file = try volume.file(at: "/size-70000")
        try space.map(at: 0x100000, pages: file.pageCount, protection: .read, backing: .mixed(file))
        #expect(try space.load(at: 0x100000, count: 70_000) == (try file.read(at: 0, count: 70_000)))
      }
      #expect(memory.census().framesInUse == 1)
      // A child inherits both kinds of entry, and the frame outlives its place in the cache.
      let child = try spaces[0].fork()
      #expect(child.entry(at: 0x100000).description == "special r")
      #expect(child.entry(at: 0x111000).description == "normal r")
      volume.drop()
      memory.flushDeferredFrees()
      #expect(memory.census().framesInUse == 1)
      #expect(try child.load(at: 0x111000, as: UInt8.self) == spaces[1].load(at: 0x111000, as: UInt8.self))
      for space in spaces + [child] { space.exit() }
      memory.flushDeferredFrees()
      #expect(memory.census().framesInUse == 0)
    }
  }

  @Test func storesThroughSharedMappingsAreBusErrors() throws {
    try withVolume(["-x-1"]) { memory, volume in
      let file = try volume.file(at: "/size-8193")
      for readFirst in [false, true] {
        let space = AddressSpace(memory)
        try space.map(at: 0x10000, pages: 3, protection: .readWrite, sharing: .shared, backing: .mixed(file))
        for address in [0x10000, 0x12000] as [VirtualAddress] {
          if readFirst { _ = try space.load(at: address, as: UInt8.self) }
          #expect(throws: PageError.busError) { try space.store(UInt8(1), at: address) }
          #expect(throws: PageError.badAddress) { _ = try space.pin(at: address, .write) }
        }
        space.exit()
      }
      #expect(throws: PageError.readOnly) { try file.write([1], at: 0) }
    }
  }

  @Test func holesAreThePageOfZeroes() throws {
    let table = { (image: EditedImage) in try image.position(of: "/size-65536") + 64 }
    try withVolume(["-x-1", "-Eforce-inode-extended", "--chunksize=8192"]) { image in
      image.set(UInt32.max, at: try table(image) + 4)
    } _: { memory, volume in
      let space = AddressSpace(memory)
      let file = try volume.file(at: "/size-65536")
      try space.map(at: 0x10000, pages: 16, protection: .readWrite, backing: .mixed(file))
      #expect(try space.load(at: 0x10000, count: 65_536) == (try file.read(at: 0, count: 65_536)))
      #expect(space.entry(at: 0x12000).description == "zero r")
      #expect(space.entry(at: 0x14000).description == "special r")
      try space.store(UInt8(1), at: 0x13000)
      #expect(try space.load(at: 0x13000, count: 3) == [1, 0, 0])
      space.exit()
    }
  }

  /// A chunk that lies outside the image is found when it is touched; nothing else is the worse for it.
  @Test func chunksOutsideTheImageAreBusErrors() throws {
    let table = { (image: EditedImage) in try image.position(of: "/size-65536") + 64 }
    try withVolume(["-x-1", "-Eforce-inode-extended", "--chunksize=8192"]) { image in
      image.set(UInt32.max - 1, at: try table(image) + 4)
      image.set(UInt32(image.bytes.count / 4096), at: try table(image) + 8)
    } _: { memory, volume in
      let space = AddressSpace(memory)
      let file = try volume.file(at: "/size-65536")
      try space.map(at: 0x10000, pages: 16, protection: .readWrite, backing: .mixed(file))
      for page in 0..<16 {
        let address = VirtualAddress(0x10000) + page * Page.size
        if (2..<6).contains(page) {
          #expect(throws: PageError.busError) { try space.load(at: address, as: UInt8.self) }
          #expect(throws: PageError.busError) { try space.store(UInt8(1), at: address) }
          #expect(throws: PageError.badAddress) { _ = try space.pin(at: address) }
        } else {
          #expect(throws: Never.self) { try space.load(at: address, as: UInt8.self) }
        }
      }
      space.exit()
    }
  }

  @Test func onlyRegularFilesAreMapped() throws {
    try withVolume { _, volume in
      let many = try volume.tree.inode(at: "/many")
      #expect(throws: EROFSError.wrongType(many.node, .directory)) { try volume.file(at: "/many") }
      #expect(try volume.file(at: "/link") === volume.file(at: "/text"))
      #expect(throws: EROFSError.notFound("/no")) { try volume.file(at: "/no") }
    }
  }

  @Test func anImageCanBeARealFile() throws {
    let directory = try TemporaryDirectory()
    try Tool.makeImage(of: try SampleTree.path.get(), at: directory["image"])
    let memory = try PhysicalMemory(ramPages: 64)
    let volume = try EROFSVolume(try Image(memory, path: directory["image"]))
    let comparison = try TreeComparison(of: volume.tree, with: try SampleTree.path.get())
    #expect(comparison.differences == [])
    #expect(memory.freePages == 64)
  }
}

extension EROFSImage.Layout {
  fileprivate var hasTail: Bool { if case .blocksAndTail = self { true } else { false } }
}
