import TestSupport
import Testing

@testable import UserPages

/// A real file behind a mapping: reading, dirty tracking, write-back.
@Suite struct PageCacheTests {
  @Test(arguments: Engines.all)
  func pagesAreReadWhenTheyAreTouched(engine: PinEngine) throws {
    try CacheStage.run(limit: 16, engine: engine) { stage throws in
      #expect(stage.cache.residentPages == 0)
      for page in [5, 3, 5, 15] { #expect(try stage.word(page) == originalWord(page)) }
      #expect(stage.cache.residentPages == 3)
      #expect(stage.cache.isResident(page: 3) && !stage.cache.isResident(page: 4))
      #expect(stage.space.entry(at: stage.address(5)).description == "normal r")
      #expect(stage.cache.dirtyPages == 0)
      #expect(throws: PageError.busError) { try PageCacheTests.beyond(stage) }
    }
  }

  private static func beyond(_ stage: CacheStage) throws(PageError) {
    try stage.space.map(
      at: 0x8000_0000, pages: 17, protection: .read, sharing: .shared, backing: .file(stage.cache))
    _ = try stage.space.load(at: VirtualAddress(0x8000_0000) + 16 * Page.size, count: 1)
  }

  /// The first store makes a page dirty, whether its entry is there already or not. Write-back makes it clean and
  /// read-only.
  @Test(arguments: Engines.all, [true, false])
  func storesAreNoticed(engine: PinEngine, isMappedFirst: Bool) throws {
    try CacheStage.run(engine: engine) { stage in
      let address = stage.address(2)
      for round in 1...3 {
        if isMappedFirst { _ = try stage.space.load(at: address, count: 1) }
        try stage.space.store(UInt64(round), at: address)
        try stage.space.store(UInt64(round), at: address + 8)
        #expect(stage.cache.dirtyPages == 1)
        #expect(stage.space.entry(at: address).description == "normal rw dirty")
        #expect(stage.written(2) != UInt64(round))
        try stage.cache.sync()
        #expect(stage.cache.dirtyPages == 0)
        #expect(stage.space.entry(at: address).description == "normal r")
        #expect(stage.written(2) == UInt64(round) && stage.written(2, offset: 8) == UInt64(round))
        #expect(MemoryStore.word(stage.store.durable, at: 2 * Page.size) == UInt64(round))
      }
      // Nothing was written that was not dirty.
      stage.store.fail(nil)
      try stage.cache.sync()
      #expect(stage.store.calls == [.sync])
    }
  }

  /// A protection that is taken away and given back does not hide a store.
  @Test func protectionComesAndGoes() throws {
    try CacheStage.run { stage in
      try stage.space.store(UInt64(1), at: stage.address(0))
      try stage.space.protect(at: stage.start, pages: 1, .none)
      try stage.cache.sync()
      try stage.space.protect(at: stage.start, pages: 1, .readWrite)
      #expect(stage.cache.dirtyPages == 0)
      try stage.space.store(UInt64(2), at: stage.address(0))
      #expect(stage.cache.dirtyPages == 1)
      try stage.cache.sync()
      #expect(stage.written(0) == 2)
    }
  }

  /// Every mapping of a page is write-protected: a second one, a child's, one of another space.
  @Test func everyMappingIsProtected() throws {
    try CacheStage.run { stage in
      let other = AddressSpace(stage.memory, engine: .slot)
      try other.map(
        at: 0x10000, pages: 4, protection: .readWrite, sharing: .shared, backing: .mixed(stage.cache), offset: 2)
      try stage.space.map(
        at: 0x9000_0000, pages: 1, protection: .readWrite, sharing: .shared, backing: .mixed(stage.cache), offset: 3)
      try stage.space.store(UInt64(1), at: VirtualAddress(0x9000_0000))
      let child = try stage.space.fork()
      let places: [(AddressSpace, VirtualAddress)] = [
        (stage.space, stage.address(3)), (stage.space, 0x9000_0000), (child, 0x9000_0000), (other, 0x11000),
      ]
      for (index, place) in places.enumerated() {
        try place.0.store(UInt64(index + 10), at: place.1 + 8 * index)
        for (index, place) in places.enumerated() where index > 0 { _ = try place.0.load(at: place.1, count: 1) }
        try stage.cache.sync()
        #expect(stage.cache.dirtyPages == 0)
        for place in places {
          #expect(!place.0.entry(at: place.1).protection.contains(.write))
          #expect(!place.0.entry(at: place.1).isDirty)
        }
        #expect(stage.written(3, offset: 8 * index) == UInt64(index + 10))
      }
      for (index, place) in places.enumerated() {
        #expect(try place.0.load(at: place.1 + 24, as: UInt64.self) == 13, "place \(index) shows another frame")
      }
      child.exit()
      other.exit()
    }
  }

  @Test func flushWritesARange() throws {
    try CacheStage.run(limit: 16) { stage in
      for page in 0..<8 { try stage.space.store(UInt64(page + 100), at: stage.address(page)) }
      stage.store.fail(nil)
      try stage.cache.flush(2..<5)
      #expect(stage.store.writes == [.write(page: 2, count: 3)])
      #expect(stage.cache.dirtyPages == 5)
      #expect(
        (0..<8).map { stage.written($0) == UInt64($0 + 100) } == [false, false, true, true, true, false, false, false])
      try stage.cache.flush(0..<1 << 20)
      #expect(stage.cache.dirtyPages == 0)
      #expect(stage.store.durable == MemoryStore(pages: 16) { UInt8($0 + 1) }.contents, "flushed is not synced")
    }
  }

  /// Private mappings see the file and keep their copies to themselves.
  @Test(arguments: Engines.all)
  func privateCopies(engine: PinEngine) throws {
    try CacheStage.run(engine: engine, sharing: .private) { stage in
      #expect(try stage.word(1) == originalWord(1))
      try stage.space.store(UInt64(5), at: stage.address(1))
      try stage.space.store(UInt64(6), at: stage.address(2))
      #expect(stage.cache.dirtyPages == 0)
      stage.cache.evict(16)
      #expect(try stage.word(1) == UInt64(5))
      #expect(try stage.word(2) == UInt64(6))
      #expect(try stage.cache.read(at: Page.size, count: 1) == [2])
    }
  }

  /// A page that a pin for writing holds is written from a copy and stays dirty: the device may store at any time.
  @Test(arguments: Engines.all, [true, false])
  func aPinnedPageStaysDirty(engine: PinEngine, isGet: Bool) throws {
    try CacheStage.run(engine: engine) { stage in
      let pin = try stage.space.pin(at: stage.address(4), isGet ? [.get, .write] : .write)
      pin.deviceBytes.store(UInt64(1))
      try stage.cache.sync()
      #expect(stage.written(4) == 1)
      #expect(stage.cache.dirtyPages == 1)
      // The entry is clean and read-only by now: nothing but the mark knows of this store.
      pin.deviceBytes.store(UInt64(2))
      #expect(stage.cache.evict(16) == 0)
      try stage.cache.sync()
      #expect(stage.written(4) == 2)
      pin.deviceBytes.store(UInt64(3))
      let copies = stage.cache.copiedPages
      #expect(copies >= 2)
      pin.release(dirty: true)
      stage.memory.flushDeferredFrees()
      try stage.cache.sync()
      #expect(stage.written(4) == 3)
      #expect(stage.cache.copiedPages == copies)
      #expect(stage.cache.dirtyPages == 0)
    }
  }

  /// A file that ends inside a page: zeroes behind the end in memory, and the length stays.
  @Test func theTail() throws {
    let contents = [UInt8](repeating: 9, count: 2 * Page.size + 100)
    try CacheStage.run(pages: 3, contents: contents) { stage in
      #expect(stage.cache.pageCount == 3)
      #expect(try stage.space.load(at: stage.address(2) + 96, count: 8) == [9, 9, 9, 9, 0, 0, 0, 0])
      try stage.space.store([UInt8](repeating: 7, count: 8), at: stage.address(2) + 96)
      try stage.cache.sync()
      #expect(stage.store.contents.count == contents.count)
      #expect(Array(stage.store.contents.suffix(5)) == [9, 7, 7, 7, 7])
    }
  }

  @Test func readAndWrite() throws {
    try CacheStage.run(pages: 4, limit: 4) { stage in
      let bytes = (0..<2 * Page.size).map { UInt8(truncatingIfNeeded: $0 / 7) }
      try stage.cache.write(bytes, at: 100)
      #expect(try stage.cache.read(at: 100, count: bytes.count) == bytes)
      #expect(try stage.space.load(at: stage.start + 100, count: bytes.count) == bytes)
      #expect(stage.cache.dirtyPages == 3)
      #expect(try stage.cache.read(at: 4 * Page.size - 3, count: 10) == [4, 4, 4])
      #expect(try stage.cache.read(at: 1 << 30, count: 10) == [])
      // A write that ends beyond the file makes it longer.
      try stage.cache.write([1, 2, 3], at: 5 * Page.size + 7)
      #expect(stage.cache.byteCount == 5 * Page.size + 10)
      try stage.cache.sync()
      #expect(Array(stage.store.contents[100..<100 + bytes.count]) == bytes)
      #expect(Array(stage.store.contents.suffix(4)) == [0, 1, 2, 3])
      #expect(throws: PageError.invalidArgument) { try stage.cache.write([1], at: -1) }
      #expect(throws: PageError.invalidArgument) { _ = try stage.cache.read(at: -1, count: 1) }
      #expect(throws: PageError.file(.resize, errno: 27)) { try stage.cache.write([1], at: 1 << 40) }
    }
  }

  /// What is dirty when the last mapping and the last reference go is written.
  @Test func theEnd() throws {
    var store: MemoryStore?
    try CacheStage.run { stage in
      store = stage.store
      try stage.space.store(UInt64(77), at: stage.address(1))
    }
    let written = try #require(store)
    #expect(MemoryStore.word(written.contents, at: Page.size) == 77)
  }

  @Test func whatCannotBeMade() throws {
    let memory = try PhysicalMemory(ramPages: 16)
    #expect(throws: PageError.invalidArgument) { _ = try PageCache(memory, MemoryStore(pages: 1), limit: 0) }
    #expect(throws: PageError.invalidArgument) {
      _ = try PageCache(memory, MemoryStore(pages: 1), limit: 4, maximumPages: 1 << 41)
    }
  }
}
