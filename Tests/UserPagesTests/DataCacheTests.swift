import TestSupport
import Testing

@testable import UserPages

/// Flushes of the data cache that files ask for. They are due where the cache's own view of a page and a program's meet
/// while the page is mapped.
@Suite struct DataCacheTests {
  /// Keeps what pages held when they were flushed.
  private final class Recorder: DataCacheFlushing {
    private let flushed = Locked<[[UInt8]]>([])

    func flush(_ page: PageBytes) {
      let bytes = page.copy(count: Page.size)
      flushed.withLock { $0.append(bytes) }
    }

    /// The pages that were flushed since the last call, as they were then.
    func take() -> [[UInt8]] {
      flushed.withLock { flushed in
        defer { flushed = [] }
        return flushed
      }
    }
  }

  private static let start: VirtualAddress = 0x10000

  /// Runs `body` with a file of `byteCount` bytes of 1 in a page cache, and a program that has mapped and loaded its
  /// pages.
  private func withCache(
    byteCount: Int, protection: Protection = .readWrite, stability: PageCache.Stability = .none,
    _ body: (Recorder, PageCache, AddressSpace) throws -> Void
  ) throws {
    let recorder = Recorder()
    let memory = try PhysicalMemory(ramPages: 64, dataCache: recorder)
    do {
      let store = MemoryStore([UInt8](repeating: 1, count: byteCount))
      let cache = try PageCache(memory, store, limit: 4, stability: stability, maximumPages: 4)
      let space = AddressSpace(memory)
      try space.map(
        at: Self.start, pages: cache.pageCount, protection: protection, sharing: .shared, backing: .file(cache))
      for page in 0..<cache.pageCount { _ = try space.load(at: Self.start + page * Page.size, as: UInt8.self) }
      #expect(recorder.take().count == cache.pageCount)
      try body(recorder, cache, space)
      space.exit()
    }
    memory.flushDeferredFrees()
    #expect(memory.census().isClean)
  }

  @Test(arguments: [PageCache.Stability.none, .waits, .copies])
  func aWriteToAMappedPage(stability: PageCache.Stability) throws {
    try withCache(byteCount: 2 * Page.size, stability: stability) { recorder, cache, _ in
      try cache.write([9, 9], at: Page.size - 1)
      let flushed = recorder.take()
      #expect(flushed.map(\.first) == [1, 9])
      #expect(flushed.map(\.last) == [9, 1])
    }
  }

  /// What a program stores may be in lines that the cache's own view does not show.
  @Test(arguments: [false, true])
  func aReadOfAPageThatIsMappedForStores(isWritable: Bool) throws {
    try withCache(byteCount: Page.size, protection: isWritable ? .readWrite : .read) { recorder, cache, _ in
      let bytes = try cache.read(at: 0, count: 1)
      #expect(bytes == [1])
      #expect(recorder.take().count == (isWritable ? 1 : 0))
    }
  }

  @Test func aCutInAMappedPage() throws {
    try withCache(byteCount: Page.size) { recorder, cache, space in
      try cache.setByteCount(100)
      #expect(recorder.take().last?[99..<101] == [1, 0])
      #expect(try space.load(at: Self.start + 100, as: UInt8.self) == 0)
    }
  }

  /// What a program stored behind the end is cleared when the file grows.
  @Test func growthOfAMappedPage() throws {
    try withCache(byteCount: 100) { recorder, cache, space in
      try space.store(UInt8(7), at: Self.start + 200)
      try cache.setByteCount(Page.size)
      #expect(recorder.take().last?[200] == 0)
    }
  }

  /// The same when the page is written back.
  @Test func writeBackOfALastPage() throws {
    try withCache(byteCount: 100) { recorder, cache, space in
      try space.store(UInt8(7), at: Self.start + 200)
      try cache.sync()
      #expect(recorder.take().last?[200] == 0)
    }
  }

  @Test(arguments: [1, Page.pagesPerHuge])
  func aCutInAMappedPageOfAMemoryFile(pages: Int) throws {
    let recorder = Recorder()
    let memory = try PhysicalMemory(ramPages: 2048, dataCache: recorder)
    do {
      let file = try PageCacheFile(memory, pages: pages, fill: 1)
      let space = AddressSpace(memory)
      try space.map(
        at: 0x4000_0000, pages: pages, protection: .readWrite, sharing: .shared, backing: .file(file),
        hugePages: pages > 1)
      _ = try space.load(at: 0x4000_0000, as: UInt8.self)
      #expect(recorder.take().count == pages)
      try file.setByteCount(100)
      #expect(recorder.take().last?[99..<101] == [1, 0])
      space.exit()
    }
    memory.flushDeferredFrees()
    #expect(memory.census().isClean)
  }
}
