import Foundation
import SeededRandom
import TestSupport
import Testing
import UserPages
import UserPagesEROFS

/// Threads that map, read, write, fork and drop the same file of an image at once.
@Suite(.enabled(if: Tool.hasMkfs, "mkfs.erofs is not installed"))
struct SharingTests {
  @Test(arguments: PinEngine.allCases)
  func noThreadSeesAWrongByte(_ engine: PinEngine) throws {
    let memory = try PhysicalMemory(ramPages: 512)
    do {
      let edited = try EditedImage(of: try SampleTree.path.get(), options: ["-x-1"])
      let volume = try EROFSVolume(try Image(memory, contents: edited.bytes))
      let expected = try volume.file(at: "/size-8193").read(at: 0, count: 8193)
      DispatchQueue.concurrentPerform(iterations: 4) { thread in
        var random = SplitMix64(seed: UInt64(thread))
        for _ in 0..<60 {
          let problem = Self.turn(memory, volume, engine, expected, &random)
          if let problem { Issue.record("\(problem)") }
        }
      }
      volume.drop()
    }
    memory.flushDeferredFrees()
    #expect(memory.census().isClean)
  }

  /// One space's life. Returns what went wrong.
  private static func turn(
    _ memory: PhysicalMemory, _ volume: EROFSVolume, _ engine: PinEngine, _ expected: [UInt8],
    _ random: inout SplitMix64
  ) -> String? {
    do {
      let space = AddressSpace(memory, engine: engine)
      defer { space.exit() }
      let file = try volume.file(at: "/size-8193")
      let start = VirtualAddress(0x10000)
      try space.map(at: start, pages: 3, protection: .readWrite, backing: .mixed(file))
      if random.next() % 4 == 0 { volume.drop() }
      guard try space.load(at: start, count: 8193) == expected else { return "wrong bytes" }
      let page = Int(random.next() % 3)
      let address = start + page * Page.size
      if random.next() % 2 == 0 {
        let pin = try space.pin(at: address, .write)
        pin.deviceBytes.store(expected[page * Page.size] ^ 0xff)
        pin.release(dirty: true)
      } else {
        try space.store(expected[page * Page.size] ^ 0xff, at: address)
      }
      let child = try space.fork()
      defer { child.exit() }
      for one in [space, child] {
        let bytes = try one.load(at: start, count: 8193)
        guard bytes[page * Page.size] == expected[page * Page.size] ^ 0xff else { return "a store was lost" }
        for other in 0..<3 where other != page {
          guard bytes[other * Page.size] == expected[other * Page.size] else { return "a store went astray" }
        }
      }
      return try file.read(at: 0, count: 8193) == expected ? nil : "the file has changed"
    } catch {
      return "\(error)"
    }
  }
}
