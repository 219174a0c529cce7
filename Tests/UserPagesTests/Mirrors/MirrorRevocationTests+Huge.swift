import TestSupport
import Testing

@testable import UserPages

/// The same for pages that a huge entry maps.
extension MirrorRevocationTests {
  private func withHugePage(_ body: (Machine, AddressSpace, Mirror) throws -> Void) throws {
    try withMirror(frames: 4096, pages: 1024) { machine, space, mirror in
      try space.mapHuge(mirrorBase, pages: 512)
      for page in 0..<512 { try mirror.store(UInt64(5 + page), at: mirrorBase.page(page)) }
      #expect(space.says(mirrorBase) == "huge rw dirty")
      try body(machine, space, mirror)
    }
  }

  @Test func hugeUnmap() throws {
    try withHugePage { _, space, mirror in
      try space.unmap(at: mirrorBase, pages: 512)
      #expect(!(0..<512).contains { mirror.holds($0) })
      expectGone(mirror)
    }
  }

  @Test func hugeProtect() throws {
    try withHugePage { _, space, mirror in
      try space.protect(at: mirrorBase, pages: 512, .read)
      #expect(!(0..<512).contains { mirror.holds($0) })
      #expect(space.says(mirrorBase) == "huge r dirty")
    }
  }

  @Test func hugeFork() throws {
    try withHugePage { _, space, mirror in
      let child = try space.fork()
      #expect(!(0..<512).contains { mirror.holds($0) })
      try mirror.store(UInt64(9), at: mirrorBase.page(1))
      #expect(try child.load(at: mirrorBase.page(1), as: UInt64.self) == 6)
      child.exit()
    }
  }

  @Test func hugeRemap() throws {
    try withHugePage { _, space, mirror in
      try space.remap(at: mirrorBase, pages: 512, to: mirrorBase.page(512), newPages: 512)
      #expect(space.says(mirrorBase.page(512)) == "huge rw dirty")
      expectGone(mirror)
      #expect(try mirror.word(513) == 6)
    }
  }

  @Test func hugePageOfZeroes() throws {
    try withMirror(frames: 2048, pages: 512) { _, space, mirror in
      try space.mapHuge(mirrorBase, pages: 512)
      #expect(try mirror.word(1) == 0 && mirror.holds(1))
      try space.store(UInt64(9), at: mirrorBase.page(2))
      expectRevoked(mirror)
      #expect(try mirror.word(2) == 9)
    }
  }

  @Test func collapse() throws {
    try withMirror(frames: 4096, pages: 512) { _, space, mirror in
      try space.map(at: mirrorBase, pages: 512, protection: .readWrite)
      for page in 0..<512 { try mirror.store(UInt64(5 + page), at: mirrorBase.page(page)) }
      try space.advise(at: mirrorBase, pages: 512, .collapse)
      #expect(space.says(mirrorBase) == "huge rw dirty")
      #expect(!(0..<512).contains { mirror.holds($0) })
      #expect(try mirror.word(1) == 6)
    }
  }

  /// A mirror's store keeps memory that was freed lazily, as a program's does.
  @Test func hugeFree() throws {
    try withHugePage { _, space, mirror in
      try space.advise(at: mirrorBase, pages: 512, .free)
      expectRevoked(mirror)
      #expect(space.says(mirrorBase) == "huge rw")
      try mirror.store(UInt64(9), at: mirrorBase.page(1))
      #expect(space.says(mirrorBase) == "huge rw dirty")
    }
  }

  @Test func breakUp() throws {
    try withHugePage { machine, space, mirror in
      let hasBroken = space.breakUpHugeFrames(in: mirrorBase..<mirrorBase.page(512))
      #expect(hasBroken)
      expectRevoked(mirror)
      let word = try mirror.word(1)
      #expect(word == 6)
    }
  }
}
