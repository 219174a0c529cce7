import TestSupport
import Testing

@testable import UserPages

/// Each operation that takes an entry or its permission away revokes the translation, and a mirror then sees what the
/// program sees.
@Suite struct MirrorRevocationTests {
  /// A page, translated, holding its number plus five.
  private func withPage(
    movable: Int = 0, swapPages: Int = 0, _ body: (Machine, AddressSpace, Mirror) throws -> Void
  ) throws {
    for engine in PinEngine.allCases {
      try withMirror(movable: movable, swapPages: swapPages, engine: engine) { machine, space, mirror in
        try space.map(at: mirrorBase, pages: 4, protection: .readWrite)
        for page in 0..<4 { try mirror.store(UInt64(5 + page), at: mirrorBase.page(page)) }
        #expect(try mirror.word(1) == 6)
        #expect((0..<4).allSatisfy { mirror.holds($0) })
        try body(machine, space, mirror)
      }
    }
  }

  func expectRevoked(_ mirror: Mirror, sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(!mirror.holds(1), sourceLocation: sourceLocation)
  }

  func expectGone(_ mirror: Mirror, sourceLocation: SourceLocation = #_sourceLocation) {
    expectRevoked(mirror, sourceLocation: sourceLocation)
    #expect(throws: PageError.badAddress, sourceLocation: sourceLocation) { _ = try mirror.word(1) }
    #expect(throws: PageError.badAddress, sourceLocation: sourceLocation) {
      try mirror.store(UInt64(9), at: mirrorBase.page(1))
    }
  }

  @Test func unmap() throws {
    try withPage { _, space, mirror in
      try space.unmap(at: mirrorBase.page(1), pages: 1)
      expectGone(mirror)
      #expect(try mirror.word(0) == 5 && mirror.word(2) == 7)
    }
  }

  @Test func exit() throws {
    try withPage { _, space, mirror in
      space.exit()
      expectGone(mirror)
    }
  }

  @Test func replacement() throws {
    try withPage { _, space, mirror in
      try space.map(at: mirrorBase.page(1), pages: 1, protection: .readWrite)
      expectRevoked(mirror)
      #expect(try mirror.word(1) == 0)
    }
  }

  @Test func dontNeed() throws {
    try withPage { _, space, mirror in
      try space.advise(at: mirrorBase.page(1), pages: 1, .dontNeed)
      expectRevoked(mirror)
      #expect(try mirror.word(1) == 0)
    }
  }

  @Test func guardInstall() throws {
    try withPage { _, space, mirror in
      try space.advise(at: mirrorBase.page(1), pages: 1, .guardInstall)
      expectGone(mirror)
    }
  }

  @Test func remapAway() throws {
    try withPage { _, space, mirror in
      try space.remap(at: mirrorBase.page(1), pages: 1, to: mirrorBase.page(5), newPages: 1)
      expectGone(mirror)
      #expect(try mirror.word(5) == 6)
      try space.remap(at: mirrorBase.page(5), pages: 1, to: mirrorBase.page(2), newPages: 1)
      #expect(!mirror.holds(5))
      #expect(try mirror.word(2) == 6, "a page was moved over this one")
    }
  }

  @Test func remapShrink() throws {
    try withPage { _, space, mirror in
      try space.remap(at: mirrorBase, pages: 4, to: mirrorBase, newPages: 1)
      expectGone(mirror)
    }
  }

  @Test func protect() throws {
    try withPage { _, space, mirror in
      try space.protect(at: mirrorBase.page(1), pages: 1, .read)
      expectRevoked(mirror)
      #expect(try mirror.word(1) == 6)
      #expect(throws: PageError.badAddress) { try mirror.store(UInt64(9), at: mirrorBase.page(1)) }
      // More permission takes nothing away.
      try space.protect(at: mirrorBase.page(1), pages: 1, .readWrite)
      #expect(mirror.holds(1))
      try mirror.store(UInt64(9), at: mirrorBase.page(1))
      try space.protect(at: mirrorBase.page(1), pages: 1, .none)
      expectGone(mirror)
    }
  }

  @Test func fork() throws {
    try withPage { _, space, mirror in
      let child = try space.fork()
      expectRevoked(mirror)
      try mirror.store(UInt64(9), at: mirrorBase.page(1))
      #expect(try child.load(at: mirrorBase.page(1), as: UInt64.self) == 6)
      #expect(try mirror.word(1) == 9)
      child.exit()
    }
  }

  /// The program's store, not the mirror's, replaces the page.
  @Test func copyOnWrite() throws {
    try withPage { _, space, mirror in
      let child = try space.fork()
      #expect(try mirror.word(1) == 6 && mirror.holds(1))
      try space.store(UInt64(9), at: mirrorBase.page(1))
      expectRevoked(mirror)
      #expect(try mirror.word(1) == 9)
      child.exit()
    }
  }

  @Test func firstStoreToThePageOfZeroes() throws {
    try withMirror { _, space, mirror in
      try space.map(at: mirrorBase, pages: 2, protection: .readWrite)
      #expect(try mirror.word(1) == 0 && mirror.holds(1))
      try space.store(UInt64(9), at: mirrorBase.page(1))
      expectRevoked(mirror)
      #expect(try mirror.word(1) == 9)
    }
  }

  @Test func pageOut() throws {
    try withPage(swapPages: 16) { machine, space, mirror in
      try space.advise(at: mirrorBase.page(1), pages: 1, .pageOut)
      expectRevoked(mirror)
      machine.memory.flushDeferredFrees()
      #expect(space.says(mirrorBase.page(1)) == "swap")
      #expect(try mirror.word(1) == 6)
    }
  }

  @Test func aMove() throws {
    try withPage(movable: 16) { _, space, mirror in
      // A long-term pin takes its page out of movable memory.
      _ = try space.pin(at: mirrorBase.page(1), .longTerm)
      expectRevoked(mirror)
      #expect(try mirror.word(1) == 6)
    }
  }

  @Test func aPageThatOnlyThePageCacheShows() throws {
    try withPage { machine, space, mirror in
      let file = try PageCacheFile(machine.memory, pages: 2, fill: 3)
      try space.map(at: mirrorBase, pages: 2, protection: .readWrite, sharing: .private, backing: .file(file))
      #expect(try mirror.load(at: mirrorBase.page(1), as: UInt8.self) == 3)
      try space.store(UInt8(4), at: mirrorBase.page(1))
      expectRevoked(mirror)
      #expect(try mirror.load(at: mirrorBase.page(1), as: UInt8.self) == 4)
      #expect(try file.read(at: Page.size, count: 1) == [3])
      try space.unmap(at: mirrorBase, pages: 2)
      file.drop()
    }
  }

  // MARK: Backings

  @Test func migrationBothWays() throws {
    try withMirror { machine, space, mirror in
      let image = try Image(machine.memory, pages: 4) { UInt8($0 + 1) }
      try space.map(at: mirrorBase, pages: 4, protection: .readWrite, sharing: .shared, backing: .mixed(image))
      #expect(try mirror.load(at: mirrorBase.page(1), as: UInt8.self) == 2 && mirror.holds(1))
      try image.migrateToCache(page: 1)
      expectRevoked(mirror)
      #expect(try mirror.load(at: mirrorBase.page(1), as: UInt8.self) == 2 && mirror.holds(1))
      try image.migrateToImage(page: 1)
      expectRevoked(mirror)
      #expect(try mirror.load(at: mirrorBase.page(1), as: UInt8.self) == 2 && mirror.holds(1))
      // The first store empties the entry, and the page moves.
      try space.store(UInt8(9), at: mirrorBase.page(1))
      expectRevoked(mirror)
      #expect(try mirror.load(at: mirrorBase.page(1), as: UInt8.self) == 9)
      try space.unmap(at: mirrorBase, pages: 4)
    }
  }

  /// A page that is used through a mirror alone counts as used.
  @Test func accessedBits() throws {
    try withMirror { machine, space, mirror in
      let image = try Image(machine.memory, pages: 4) { UInt8($0 + 1) }
      try space.map(at: mirrorBase, pages: 4, protection: .read, backing: .mixed(image))
      for page in 0..<2 { _ = try mirror.word(page) }
      #expect(image.spaces.takeAccessedPages(of: image) == [0, 1])
      expectRevoked(mirror)
      #expect(image.spaces.takeAccessedPages(of: image) == [])
      _ = try mirror.word(1)
      #expect(image.spaces.takeAccessed(among: [0, 1], of: image) == [1])
      expectRevoked(mirror)
      try space.unmap(at: mirrorBase, pages: 4)
    }
  }

  private func withCachePage(_ body: (CacheStage, Mirror) throws -> Void) throws {
    try CacheStage.run { stage in
      let mirror = try stage.space.mirror(at: stage.start, pages: 16, for: .write)
      try mirror.store(UInt64(7), at: stage.address(1))
      #expect(stage.cache.dirtyPages == 1, "a mirrored store is a store")
      #expect(mirror.holds(1))
      try body(stage, mirror)
    }
  }

  @Test func writeBack() throws {
    try withCachePage { stage, mirror in
      try stage.cache.sync()
      expectRevoked(mirror)
      #expect(stage.written(1) == 7 && stage.cache.dirtyPages == 0)
      #expect(try mirror.word(1) == 7)
      try mirror.store(UInt64(8), at: stage.address(1))
      #expect(stage.cache.dirtyPages == 1, "the page was clean, and its store was not noticed")
      try stage.cache.sync()
      #expect(stage.written(1) == 8)
    }
  }

  @Test func eviction() throws {
    try withCachePage { stage, mirror in
      try stage.cache.sync()
      #expect(try mirror.word(1) == 7)
      while stage.cache.isResident(page: 1) { _ = stage.cache.evict(1) }
      expectRevoked(mirror)
      #expect(try mirror.word(1) == 7)
    }
  }

  @Test func truncation() throws {
    try withCachePage { stage, mirror in
      try stage.cache.setByteCount(Page.size)
      expectGone(mirror)
      try stage.cache.setByteCount(4 * Page.size)
      #expect(try mirror.word(1) == 0)
    }
  }

  @Test func hole() throws {
    try withCachePage { stage, mirror in
      try stage.cache.punchHole(1..<2)
      expectRevoked(mirror)
      #expect(try mirror.word(1) == 0)
    }
  }
}
