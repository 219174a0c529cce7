import TestSupport
import Testing

@testable import UserPages

/// Files that are cut, grow again and get holes, under mappings and pins.
@Suite struct PageCacheTruncateTests {
  @Test(arguments: Engines.all)
  func beyondTheEnd(engine: PinEngine) throws {
    try CacheStage.run(limit: 16, engine: engine) { stage in
      for page in 0..<8 { try stage.space.store(UInt64(page + 100), at: stage.address(page)) }
      let pin = try stage.space.pin(at: stage.address(6), .write)
      try stage.cache.setByteCount(4 * Page.size + 100)
      #expect(stage.cache.pageCount == 5 && stage.store.byteCount == 4 * Page.size + 100)
      // What was about to be read ahead is given up when its turn comes.
      stage.cache.waitForReads()
      #expect(stage.cache.residentPages == 5 && stage.cache.dirtyPages == 5)
      for page in 5..<16 {
        #expect(stage.space.entry(at: stage.address(page)).kind == .none)
        #expect(throws: PageError.busError) { _ = try stage.word(page) }
        #expect(throws: PageError.busError) { try stage.space.store(UInt64(1), at: stage.address(page)) }
        #expect(throws: PageError.badAddress) { try stage.space.pin(at: stage.address(page)).release() }
      }
      #expect(try stage.word(4) == 104)
      pin.deviceBytes.store(UInt64(1))
      // It grows again: zeroes, and the pin has the old page.
      try stage.cache.setByteCount(16 * Page.size)
      for page in 5..<16 { #expect(try stage.word(page) == 0) }
      #expect(pin.deviceBytes.load(as: UInt64.self) == 1)
      pin.release(dirty: true)
      try stage.cache.sync()
      #expect((0..<8).map { stage.written($0) } == [100, 101, 102, 103, 104, 0, 0, 0])
    }
  }

  /// The rest of the last page reads as zeroes when the file grows, whatever was stored there.
  @Test(arguments: [true, false])
  func theRestOfTheLastPage(isResident: Bool) throws {
    try CacheStage.run { stage in
      if isResident { _ = try stage.word(3) }
      try stage.cache.setByteCount(3 * Page.size + 8)
      #expect(
        try stage.space.load(at: stage.address(3), count: 16) == Array(repeating: 4, count: 8)
          + Array(repeating: 0, count: 8))
      // A mapping may store behind the end, but that is no part of the file.
      try stage.space.store(UInt64(5), at: stage.address(3) + 16)
      try stage.cache.sync()
      if !isResident { stage.cache.evict(8) }
      try stage.cache.setByteCount(16 * Page.size)
      #expect(try stage.space.load(at: stage.address(3) + 16, as: UInt64.self) == 0)
      #expect(
        try stage.cache.read(at: 3 * Page.size, count: 17) == Array(repeating: 4, count: 8)
          + Array(repeating: 0, count: 9))
    }
  }

  /// As on Linux, what a mapping stored behind the end goes with a cut to the same length and with a write-back.
  @Test(arguments: [true, false])
  func whatIsBehindTheEnd(isWriteBack: Bool) throws {
    try CacheStage.run { stage in
      try stage.cache.setByteCount(3 * Page.size + 8)
      let pin = try stage.space.pin(at: stage.address(3), .write)
      try stage.space.store(UInt64(5), at: stage.address(3) + 8)
      #expect(try stage.space.load(at: stage.address(3) + 8, as: UInt64.self) == 5)
      if isWriteBack { try stage.cache.sync() } else { try stage.cache.setByteCount(3 * Page.size + 8) }
      #expect(try stage.space.load(at: stage.address(3), as: UInt64.self) == originalWord(3))
      #expect(try stage.space.load(at: stage.address(3) + 8, as: UInt64.self) == 0)
      #expect(pin.deviceBytes.load(fromByteOffset: 8, as: UInt64.self) == 0)
      pin.release()
    }
  }

  /// A write behind the old end clears what is between, and leaves what is behind it.
  @Test func aWriteBehindTheEnd() throws {
    try CacheStage.run { stage in
      try stage.cache.setByteCount(3 * Page.size + 8)
      for offset in [8, 16, 24] { try stage.space.store(UInt64(5), at: stage.address(3) + offset) }
      try stage.cache.write([6], at: 3 * Page.size + 16)
      #expect(try [8, 16, 24].map { try stage.space.load(at: stage.address(3) + $0, count: 1)[0] } == [0, 6, 5])
      // One that begins in the next page clears all of it.
      try stage.cache.write([7], at: 4 * Page.size + 1)
      #expect(try [16, 24].map { try stage.space.load(at: stage.address(3) + $0, count: 1)[0] } == [6, 0])
    }
  }

  /// A truncation takes private copies too, a hole punch leaves them.
  @Test(arguments: Engines.all, [true, false])
  func privateCopies(engine: PinEngine, isHole: Bool) throws {
    try CacheStage.run(engine: engine, sharing: .private) { stage in
      for page in 2..<4 { try stage.space.store(UInt64(7), at: stage.address(page)) }
      _ = try stage.word(4)
      if isHole {
        try stage.cache.punchHole(2..<5)
        #expect(try stage.word(2) == 7)
      } else {
        try stage.cache.setByteCount(2 * Page.size)
        #expect(throws: PageError.busError) { _ = try stage.word(2) }
        try stage.cache.setByteCount(16 * Page.size)
        #expect(try stage.word(2) == 0)
      }
      #expect(try stage.word(4) == 0)
      #expect(try stage.word(1) == originalWord(1))
    }
  }

  @Test(arguments: Engines.all)
  func holes(engine: PinEngine) throws {
    try CacheStage.run(limit: 16, engine: engine) { stage in
      for page in 0..<8 { try stage.space.store(UInt64(page + 100), at: stage.address(page)) }
      let pin = try stage.space.pin(at: stage.address(3))
      try stage.cache.punchHole(2..<6)
      #expect(stage.cache.dirtyPages == 4 && stage.cache.byteCount == 16 * Page.size)
      #expect(try (0..<8).map { try stage.word($0) } == [100, 101, 0, 0, 0, 0, 106, 107])
      #expect(pin.deviceBytes.load(as: UInt64.self) == 103)
      pin.release()
      try stage.cache.sync()
      #expect((0..<8).map { stage.written($0) } == [100, 101, 0, 0, 0, 0, 106, 107])
      try stage.cache.punchHole(4..<4)
      #expect(throws: PageError.invalidArgument) { try stage.cache.punchHole(-1..<2) }
      // Beyond the end there is nothing to punch.
      try stage.cache.punchHole(7..<Int.max)
      try stage.cache.punchHole(16..<17)
      #expect(stage.cache.byteCount == 16 * Page.size)
      #expect(try (6..<9).map { try stage.word($0) } == [106, 0, 0])
    }
  }

  /// A mapping by number shows none of the cache's frames. It keeps no page from going.
  @Test func besideAMappingByNumber() throws {
    try CacheStage.run(limit: 16) { stage in
      try stage.space.map(
        at: 0x9000_0000, pages: 16, protection: .read, sharing: .shared, backing: .pfn(stage.cache))
      #expect(throws: PageError.busError) { try stage.space.load(at: VirtualAddress(0x9000_0000), count: 1) }
      for page in 2..<4 { try stage.space.store(UInt64(7), at: stage.address(page)) }
      try stage.cache.punchHole(2..<3)
      #expect(try stage.word(2) == 0)
      stage.store.change(at: 3 * Page.size, to: [UInt8](repeating: 9, count: 8))
      try stage.cache.invalidate()
      #expect(try stage.word(3) == 0x0909_0909_0909_0909)
      // What was read ahead goes with it.
      #expect(stage.cache.evict(16) > 0 && !stage.cache.isResident(page: 3))
    }
  }

  /// What the store refuses has not happened.
  @Test func refusals() throws {
    try CacheStage.run { stage in
      try stage.space.store(UInt64(5), at: stage.address(9))
      stage.store.fail { call, _ in
        switch call {
        case .setByteCount, .punchHole: .file(.resize, errno: 28)
        default: nil
        }
      }
      #expect(throws: PageError.file(.resize, errno: 28)) { try stage.cache.setByteCount(Page.size) }
      #expect(throws: PageError.file(.resize, errno: 28)) { try stage.cache.setByteCount(100 * Page.size) }
      #expect(throws: PageError.file(.resize, errno: 28)) { try stage.cache.punchHole(9..<10) }
      #expect(throws: PageError.file(.resize, errno: 28)) { try stage.cache.write([1], at: 16 * Page.size) }
      #expect(stage.cache.byteCount == 16 * Page.size && stage.cache.dirtyPages == 1)
      #expect(try stage.word(9) == 5)
      #expect(throws: PageError.invalidArgument) { try stage.cache.setByteCount(-1) }
      #expect(throws: PageError.file(.resize, errno: 27)) { try stage.cache.setByteCount(1 << 40) }
    }
  }
}
