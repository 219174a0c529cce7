import Glibc
import Synchronization
import TestSupport
import Testing

@testable import UserPages

/// Pins of a cache's pages without a mapping, and reads and writes by spans. A cache that no mapping stores to, and
/// forgetting pages that another program has changed.
@Suite struct PageCachePinTests {
  @Test(arguments: [true, false])
  func aPinnedPageStaysWithoutAMapping(bySlot: Bool) throws {
    try CacheStage.run(pages: 16, limit: 4) { stage in
      // Only a page that is in memory already is held in a slot.
      _ = try stage.cache.read(at: 3 * Page.size, count: 1)
      let pin = try stage.cache.pin(page: 3, bySlot: bySlot)
      #expect(stage.memory.frameInformation(of: pin.pfn)?.referenceCount == (bySlot ? 1 : 2))
      let isWritable = pin.isWritable
      #expect(!isWritable)
      #expect(stage.memory.census().pins == 1)
      for page in 4..<16 { _ = try stage.cache.read(at: page * Page.size, count: 1) }
      #expect(stage.cache.evict(4) == 3)
      #expect(stage.cache.isResident(page: 3))
      let word = pin.load(as: UInt64.self)
      #expect(word == originalWord(3))
      pin.release()
      #expect(stage.cache.evict(4) == 1)
      #expect(stage.cache.evictedPages == 16 - 3)
      #expect(throws: PageError.busError) { try Self.beyond(stage.cache) }
    }
  }

  private static func beyond(_ cache: PageCache) throws(PageError) {
    let pin = try cache.pin(page: 16)
    pin.release()
  }

  /// A holder sees what `write` stores, and nothing of what follows a cut.
  @Test(arguments: [true, false])
  func aPinOutlivesATruncation(bySlot: Bool) throws {
    try CacheStage.run(pages: 8) { stage in
      let pin = try stage.cache.pin(page: 5, bySlot: bySlot)
      try stage.cache.write([9], at: 5 * Page.size)
      #expect(pin.load(as: UInt8.self) == 9)
      try stage.cache.setByteCount(5 * Page.size)
      try stage.cache.setByteCount(8 * Page.size)
      stage.memory.flushDeferredFrees()
      #expect(pin.load(as: UInt8.self) == 9)
      #expect(try stage.cache.read(at: 5 * Page.size, count: 1) == [0])
      pin.release()
    }
  }

  /// More pins than a thread has slots.
  @Test func slotsThatAreTakenLeaveCounts() throws {
    try CacheStage.run(pages: 32, limit: 32) { stage in
      try Self.pinAll(stage.cache, from: 0, to: 32) { #expect(stage.memory.census().pins == 32) }
      #expect(stage.cache.evict(32) == 32)
    }
  }

  private static func pinAll(_ cache: PageCache, from page: Int, to end: Int, _ body: () -> Void) throws {
    if page == end { return body() }
    let pin = try cache.pin(page: page)
    try pinAll(cache, from: page + 1, to: end, body)
    pin.release()
  }

  @Test func spansAreReadAndWritten() throws {
    try CacheStage.run(pages: 4) { stage in
      let bytes = (0..<6000).map { UInt8(truncatingIfNeeded: $0 * 7) }
      try stage.cache.write(bytes.span.bytes, at: 3000)
      var found = [UInt8](repeating: 0, count: 6000)
      var span = found.mutableSpan
      var raw = span.mutableBytes
      #expect(try stage.cache.read(at: 3000, into: &raw) == 6000)
      #expect(found == bytes)
      #expect(try stage.cache.read(at: 3000, count: 6000) == bytes)
      // Shorter at the end.
      var rest = [UInt8](repeating: 7, count: 100)
      var restSpan = rest.mutableSpan
      var restBytes = restSpan.mutableBytes
      #expect(try stage.cache.read(at: 4 * Page.size - 40, into: &restBytes) == 40)
      #expect(rest == Array(repeating: 4, count: 40) + Array(repeating: 7, count: 60))
    }
  }

  // MARK: A cache that no mapping stores to

  /// Only `write` changes pages, so a page that is held is written from where it lies, and is clean after.
  @Test(arguments: [true, false])
  func aHeldPageBecomesClean(bySlot: Bool) throws {
    let memory = try PhysicalMemory(ramPages: 64)
    do {
      let store = MemoryStore(pages: 8)
      let cache = try PageCache(memory, store, limit: 8, takesStores: false, maximumPages: 64)
      let pin = try cache.pin(page: 2, bySlot: bySlot)
      try cache.write([5], at: 2 * Page.size)
      #expect(cache.dirtyPages == 1)
      try cache.flush(0..<1)
      #expect(cache.dirtyPages == 1)
      try cache.flush(2..<3)
      #expect(cache.dirtyPages == 0 && cache.copiedPages == 0)
      #expect(store.contents[2 * Page.size] == 5)
      pin.release()
    }
    memory.flushDeferredFrees()
    #expect(memory.census().isClean)
  }

  @Test func aMappingMayNotStore() throws {
    let memory = try PhysicalMemory(ramPages: 64)
    do {
      let cache = try PageCache(memory, MemoryStore(pages: 8), limit: 8, takesStores: false, maximumPages: 64)
      let space = AddressSpace(memory)
      try space.map(at: 0x10000, pages: 8, protection: .readWrite, sharing: .shared, backing: .file(cache))
      #expect(try space.load(at: 0x10000, count: 1) == [0])
      #expect(throws: PageError.busError) { try space.store([1], at: 0x10000) }
      #expect(cache.dirtyPages == 0)
      space.exit()
    }
    memory.flushDeferredFrees()
    #expect(memory.census().isClean)
  }

  /// A handle that flushes and does not sync hears of a failed write once.
  @Test func aHandleChecksForErrors() throws {
    try CacheStage.run { stage in
      let handle = stage.cache.open()
      try stage.cache.write([1], at: 0)
      stage.store.fail { call, _ in if case .write = call { .file(.write, errno: 5) } else { nil } }
      try stage.cache.flush(0..<8)
      #expect(throws: PageError.file(.write, errno: 5)) { try handle.check() }
      try handle.check()
      #expect(stage.cache.dirtyPages == 1)
      stage.store.fail(nil)
      try stage.cache.flush(0..<8)
      try handle.check()
      #expect(stage.cache.dirtyPages == 0)
    }
  }

  // MARK: Forgetting

  @Test func whatAnotherProgramChangedIsReadAnew() throws {
    let memory = try PhysicalMemory(ramPages: 64)
    do {
      let store = MemoryStore(pages: 8)
      let cache = try PageCache(memory, store, limit: 8, maximumPages: 64)
      let space = AddressSpace(memory)
      try space.map(at: 0x10000, pages: 16, protection: .read, sharing: .shared, backing: .file(cache))
      #expect(try space.load(at: 0x11000, count: 1) == [0])
      let pin = try cache.pin(page: 1)
      try cache.write([8], at: 2 * Page.size)
      // Behind the cache's back: other contents, and another length.
      try store.setByteCount(12 * Page.size)
      store.change(at: Page.size, to: [6])
      #expect(try space.load(at: 0x11000, count: 1) == [0])
      try cache.invalidate()
      #expect(cache.residentPages == 0 && cache.dirtyPages == 0 && cache.byteCount == 12 * Page.size)
      #expect(try space.load(at: 0x11000, count: 1) == [6])
      #expect(try space.load(at: 0x12000, count: 1) == [0], "a store that was forgotten")
      #expect(try space.load(at: 0x1B000, count: 1) == [0])
      #expect(pin.load(as: UInt8.self) == 0)
      pin.release()
      try store.setByteCount(65 * Page.size)
      #expect(throws: PageError.file(.resize, errno: 27)) { try cache.invalidate() }
      #expect(cache.byteCount == 0)
      space.exit()
    }
    memory.flushDeferredFrees()
    #expect(memory.census().isClean)
  }

  /// Pins and reads from many threads meet evictions, and pages that are forgotten: a pinned frame keeps its page's
  /// contents.
  @Test(arguments: [true, false])
  func pinsRaceEvictionsAndForgetting(bySlot: Bool) throws {
    let memory = try PhysicalMemory(ramPages: 256)
    do {
      let cache = try PageCache(
        memory, MemoryStore(pages: 64) { UInt8($0 + 1) }, limit: 16, takesStores: false, maximumPages: 64)
      let isOver = Atomic(false)
      let pins = Atomic(0)
      let threads = (0..<4).map { number in
        CheckedThread {
          var random = SeededGenerator(seed: TestSeed.named("cache pins \(number)"))
          while !isOver.load(ordering: .acquiring) {
            let (page, other) = (random.below(64), random.below(64))
            let first = try cache.pin(page: page, bySlot: bySlot)
            let second = try cache.pin(page: other, bySlot: bySlot)
            if random.oneIn(50) { try cache.invalidate() }
            if random.oneIn(20) { _ = cache.evict(4) }
            #expect(first.load(fromByteOffset: 8 * random.below(512), as: UInt64.self) == originalWord(page))
            #expect(second.load(fromByteOffset: 8 * random.below(512), as: UInt64.self) == originalWord(other))
            first.release()
            second.release()
            pins.wrappingAdd(2, ordering: .relaxed)
          }
        }
      }
      // As long as the racing pairs of the torture tests.
      usleep(UInt32(TortureTime.perPair * 1_000_000))
      while pins.load(ordering: .relaxed) < 100 { usleep(1000) }
      isOver.store(true, ordering: .releasing)
      for thread in threads { try thread.join() }
      #expect(cache.residentPages <= 16)
    }
    memory.flushDeferredFrees()
    #expect(memory.census().isClean)
  }
}
