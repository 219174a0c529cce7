#if DEBUG
  import Foundation
  import TestSupport
  import Testing

  @testable import UserPages

  /// A data cache that remembers what a page held when it was flushed last, and that can stop a flush half way.
  private final class RecordingCache: DataCacheFlushing {
    private let last = Locked<UInt8?>(nil)
    private let stopping = Locked<Bool>(false)
    private let entered = DispatchSemaphore(value: 0)
    private let leave = DispatchSemaphore(value: 0)

    /// The first byte of the page as it was last flushed.
    var lastByte: UInt8? { last.withLock { $0 } }

    func flush(_ page: PageBytes) {
      let byte = page.load(as: UInt8.self)
      last.withLock { $0 = byte }
      let stops = stopping.withLock { stopping in
        defer { stopping = false }
        return stopping
      }
      guard stops else { return }
      entered.signal()
      leave.wait()
    }

    /// Has the next flush wait in the middle.
    func stopNext() { stopping.withLock { $0 = true } }
    func waitUntilStopped() { entered.wait() }
    func go() { leave.signal() }
  }

  extension TortureTests {
    /// Flushes of the data cache against writes and mappings of the same page.
    @Suite struct FrozenFlushes {
      private func withFile(
        pages: Int = 1, frames: Int = 64,
        _ body: (Freezer, RecordingCache, PageCacheFile, AddressSpace) throws -> Void
      ) throws {
        let cache = RecordingCache()
        let memory = try PhysicalMemory(ramPages: frames, dataCache: cache)
        let freezer = Freezer()
        defer { freezer.remove() }
        do {
          let file = try PageCacheFile(memory, pages: pages, fill: 1)
          let space = AddressSpace(memory)
          try space.map(
            at: 0x4000_0000, pages: pages, protection: .read, sharing: .shared, backing: .file(file),
            hugePages: pages == 512)
          try body(freezer, cache, file, space)
        }
        memory.flushDeferredFrees()
        #expect(memory.census().isClean)
        #expect(freezer.failures == [])
      }

      @Test func aWriteUnderAMappingIsFlushed() throws {
        try withFile { freezer, cache, file, space in
          // Clean, and mapped no more.
          _ = try space.load(at: 0x4000_0000, as: UInt8.self)
          try space.advise(at: 0x4000_0000, pages: 1, .dontNeed)
          #expect(cache.lastByte == 1)
          let mapper = freezer.start("load", freezeAt: .mapBetweenCountAndFlush) {
            _ = try space.load(at: 0x4000_0000, as: UInt8.self)
          }
          #expect(mapper.waitUntilFrozen())
          try file.write([2], at: 0)
          mapper.thaw()
          try mapper.join()
          #expect(cache.lastByte == 2, "neither the write nor the mapping flushed the page")
        }
      }

      @Test func aLateFlushMarksNoNewerWriteClean() throws {
        try withFile { freezer, cache, file, space in
          _ = try space.load(at: 0x4000_0000, as: UInt8.self)
          cache.stopNext()
          let writer = freezer.start("write") { try file.write([2], at: 0) }
          cache.waitUntilStopped()
          try space.advise(at: 0x4000_0000, pages: 1, .dontNeed)
          // Not mapped: this flush is put off.
          try file.write([3], at: 0)
          #expect(cache.lastByte == 2)
          cache.go()
          try writer.join()
          _ = try space.load(at: 0x4000_0000, as: UInt8.self)
          #expect(cache.lastByte == 3, "a flush that began before the write made the page clean")
        }
      }

      @Test func nothingIsMappedDuringAnothersFlush() throws {
        // A thread that maps a page while another flushes it cannot know how far that is: it flushes the page itself.
        try withFile { freezer, cache, file, space in
          _ = try space.load(at: 0x4000_0000, as: UInt8.self)
          cache.stopNext()
          let writer = freezer.start("write") { try file.write([2], at: 0) }
          cache.waitUntilStopped()
          try space.advise(at: 0x4000_0000, pages: 1, .dontNeed)
          // Another page, so that the last one flushed is this one.
          let other = try PageCacheFile(space.memory, contents: [9])
          try space.map(at: 0x9000, pages: 1, protection: .read, sharing: .shared, backing: .file(other))
          _ = try space.load(at: 0x9000, as: UInt8.self)
          #expect(cache.lastByte == 9)
          _ = try space.load(at: 0x4000_0000, as: UInt8.self)
          #expect(cache.lastByte == 2)
          cache.go()
          try writer.join()
        }
      }

      @Test func aPageOfMapped2MiBIsFlushedAtOnce() throws {
        try withFile(pages: 512, frames: 1024) { _, cache, file, space in
          _ = try space.load(at: 0x4000_0000, as: UInt8.self)
          try #require(space.entry(at: 0x4000_0000).kind == .huge)
          try file.write([2], at: 7 * Page.size)
          #expect(cache.lastByte == 2)
        }
      }
    }
  }
#endif
