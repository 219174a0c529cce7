import Foundation
import TestSupport
import Testing

@testable import UserPages

/// A flush of the data cache is a user's code, and runs where the library cannot be called. It is refused there, and
/// nothing hangs.
@Suite(.timeLimit(.minutes(1)))
struct DataCacheReentryTests {
  /// Runs what it was told to, once.
  private final class Flusher: DataCacheFlushing {
    private let deed = Locked<(@Sendable () -> Void)?>(nil)

    func onFlush(_ body: @escaping @Sendable () -> Void) { deed.withLock { $0 = body } }

    func flush(_ page: PageBytes) {
      let body = deed.withLock { deed in
        defer { deed = nil }
        return deed
      }
      body?()
    }
  }

  private static func error(_ body: () throws(PageError) -> Void) -> PageError? {
    do throws(PageError) { try body() } catch { return error }
    return nil
  }

  /// Under the lock of a migration: another one would wait for this one.
  @Test(arguments: [false, true])
  func insideAMigration(isBack: Bool) throws {
    let flusher = Flusher()
    let memory = try PhysicalMemory(ramPages: 64, dataCache: flusher)
    do {
      let image = try Image(memory, pages: 4) { _ in 7 }
      let space = AddressSpace(memory)
      try space.map(at: 0x10000, pages: 4, protection: .read, backing: .mixed(image))
      if isBack { try image.migrateToCache(page: 0) }
      let seen = Locked<[PageError?]>([])
      flusher.onFlush {
        let errors = [
          Self.error { () throws(PageError) in try image.migrateToCache(page: 1) },
          Self.error { () throws(PageError) in try image.migrateToImage(page: 1) },
          // The page that moves.
          Self.error { () throws(PageError) in _ = try space.load(at: 0x10000, as: UInt8.self) },
          Self.error { () throws(PageError) in _ = try space.load(at: 0x11000, as: UInt8.self) },
        ]
        seen.withLock { $0 = errors }
      }
      if isBack { try image.migrateToImage(page: 0) } else { try image.migrateToCache(page: 0) }
      #expect(seen.withLock { $0 } == [.busy, .busy, .busError, nil])
      #expect(image.isCached(page: 0) == !isBack)
      #expect(try space.load(at: 0x10000, as: UInt8.self) == 7)
      space.exit()
    }
    memory.flushDeferredFrees()
    #expect(memory.census().isClean)
  }

  /// The rest of a page that was cut is flushed when the cut has given its locks up.
  @Test func afterATruncation() throws {
    try withCache { flusher, cache, space in
      _ = try space.load(at: 0x12000, as: UInt8.self)
      let seen = Locked<[PageError?]>([])
      flusher.onFlush {
        let errors = [
          Self.error { () throws(PageError) in _ = try cache.read(at: 0, count: 1) },
          Self.error { () throws(PageError) in try cache.setByteCount(2 * Page.size + 50) },
        ]
        seen.withLock { $0 = errors }
      }
      try cache.setByteCount(2 * Page.size + 100)
      #expect(seen.withLock { $0 } == [nil, nil])
      #expect(cache.byteCount == 2 * Page.size + 50)
    }
  }

  /// Under the lock of a write-back: another one would wait for this one.
  @Test func insideAWriteBack() throws {
    try withCache { flusher, cache, space in
      try cache.setByteCount(2 * Page.size + 100)
      try space.store(UInt8(7), at: 0x12000)
      let seen = Locked<[PageError?]>([])
      flusher.onFlush {
        let errors = [
          Self.error { () throws(PageError) in try cache.sync() },
          Self.error { () throws(PageError) in try cache.setByteCount(0) },
          Self.error { () throws(PageError) in _ = try cache.read(at: 0, count: 1) },
        ]
        seen.withLock { $0 = errors }
      }
      try cache.sync()
      #expect(seen.withLock { $0 } == [.busy, .busy, nil])
    }
  }

  /// Runs `body` with a page cache of three pages, mapped at 0x10000.
  private func withCache(_ body: (Flusher, PageCache, AddressSpace) throws -> Void) throws {
    let flusher = Flusher()
    let memory = try PhysicalMemory(ramPages: 64, dataCache: flusher)
    do {
      let cache = try PageCache(memory, MemoryStore(pages: 3), limit: 3, maximumPages: 3)
      let space = AddressSpace(memory)
      try space.map(at: 0x10000, pages: 3, protection: .readWrite, sharing: .shared, backing: .file(cache))
      try body(flusher, cache, space)
      space.exit()
    }
    memory.flushDeferredFrees()
    #expect(memory.census().isClean)
  }

  /// Has a fault map a page, in a section, and `deed` run in its flush.
  private static func flushInASection(_ deed: @escaping @Sendable (PhysicalMemory, AddressSpace, Image) -> Void) throws
  {
    let flusher = Flusher()
    let memory = try PhysicalMemory(ramPages: 64, dataCache: flusher)
    let image = try Image(memory, pages: 4) { _ in 7 }
    let space = AddressSpace(memory)
    try space.map(at: 0x10000, pages: 4, protection: .read, backing: .mixed(image))
    try image.migrateToCache(page: 0)
    flusher.onFlush {
      precondition(RCU.isReading, "the flush was not asked for inside a section")
      deed(memory, space, image)
    }
    _ = try space.load(at: 0x10000, as: UInt8.self)
  }

  private func expectTrap(_ result: ExitTest.Result?) throws {
    let output = String(decoding: try #require(result).standardErrorContent, as: UTF8.self)
    #expect(output.contains("a grace period inside a read-side section would never end"), "\(output)")
  }

  @Test func anOperationInsideASectionTraps() async throws {
    try expectTrap(
      await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        try Self.flushInASection { _, space, _ in try? space.map(at: 0x40000, pages: 1, protection: .read) }
      })
  }

  @Test func aMigrationInsideASectionTraps() async throws {
    try expectTrap(
      await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        // The page is in its place already: nothing but the lock is met.
        try Self.flushInASection { _, _, image in try? image.migrateToImage(page: 3) }
      })
  }

  @Test func aDrainInsideASectionTraps() async throws {
    try expectTrap(
      await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
        try Self.flushInASection { memory, _, _ in memory.flushDeferredFrees() }
      })
  }
}
