import Foundation
import TestSupport
import Testing

@testable import UserPages

/// The real file behind a swap area: one machine's alone, and believed only as far as its checksums.
@Suite struct SwapFileTests {
  /// A path in a directory that goes with the test.
  private func withPath(_ body: (String) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("swap-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try body(folder.appendingPathComponent("swap").path)
  }

  private func machine(_ path: String) throws -> PhysicalMemory {
    try PhysicalMemory(ramPages: 4, swapFile: .file(at: path, pages: 4))
  }

  @Test func oneMachineAtATime() throws {
    try withPath { path in
      do {
        let first = try machine(path)
        #expect(throws: PageError.busy) { _ = try machine(path) }
        // Another name of the same file.
        try FileManager.default.linkItem(atPath: path, toPath: path + "-linked")
        #expect(throws: PageError.busy) { _ = try machine(path + "-linked") }
        try FileManager.default.moveItem(atPath: path, toPath: path + "-renamed")
        #expect(throws: PageError.busy) { _ = try machine(path + "-renamed") }
        // The name is free for a file of its own.
        _ = try machine(path)
        #expect(first.freePages == 4)
      }
      _ = try machine(path + "-renamed")
    }
  }

  @Test func whatIsNoFile() throws {
    try withPath { path in
      #expect(throws: PageError.file(.open, errno: EISDIR)) {
        _ = try machine((path as NSString).deletingLastPathComponent)
      }
      mkfifo(path, 0o600)
      #expect(throws: PageError.file(.open, errno: EINVAL)) { _ = try machine(path) }
      #expect(throws: PageError.file(.open, errno: ENOTDIR)) { _ = try machine(path + "/swap") }
      #expect("\(PageError.file(.open, errno: ENOENT))" == "ENOENT: cannot open the file: No such file or directory")
    }
  }

  /// A page that the file gives back wrong, by one bit, is a bus error. Its neighbours are what they were.
  @Test(arguments: [0, 8, 2047, 4095])
  func aDamagedPage(offset: Int) throws {
    try withPath { path in
      let memory = try machine(path)
      let space = AddressSpace(memory)
      try space.map(at: Swapped.start, pages: 3, protection: .readWrite)
      for page in 0..<3 { try space.store(Swapped.word(page), at: Swapped.address(page)) }
      try space.advise(at: Swapped.start, pages: 3, .pageOut)
      memory.flushDeferredFrees()
      let file = try FileHandle(forUpdating: URL(fileURLWithPath: path))
      defer { try? file.close() }
      // Which slot the page in the middle has got is to be seen from its contents.
      let contents = try #require(try file.readToEnd())
      let slot = try #require(
        (0..<3).first { slot in
          (0..<8).reduce(0) { $0 | UInt64(contents[slot * Page.size + $1]) << UInt64(8 * $1) } == Swapped.word(1)
        })
      let place = slot * Page.size + offset
      func flip(_ byte: UInt8) throws {
        try file.seek(toOffset: UInt64(place))
        try file.write(contentsOf: [byte])
      }
      try flip(contents[place] ^ 4)
      #expect(throws: PageError.busErrorOfFile(.read, errno: EIO)) {
        try space.load(at: Swapped.address(1), as: UInt64.self)
      }
      #expect(throws: PageError.busErrorOfFile(.read, errno: EIO)) {
        try space.store(UInt64(1), at: Swapped.address(1))
      }
      for page in [0, 2] { #expect(try space.load(at: Swapped.address(page), as: UInt64.self) == Swapped.word(page)) }
      #expect(space.entry(at: Swapped.address(1)).description == "swap", "it stays out")
      try flip(contents[place])
      #expect(try space.load(at: Swapped.address(1), as: UInt64.self) == Swapped.word(1))
    }
  }
}
