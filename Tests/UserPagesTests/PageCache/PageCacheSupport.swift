import Synchronization
import TestSupport
import Testing

@testable import UserPages

/// A cache over a store in memory, and a space that maps its file.
struct CacheStage {
  let memory: PhysicalMemory
  let store: MemoryStore
  let cache: PageCache
  let space: AddressSpace
  /// Where the file is mapped.
  let start: VirtualAddress = 0x4000_0000

  func address(_ page: Int) -> VirtualAddress { start + page * Page.size }

  /// The word at the start of a page, as the program sees it.
  func word(_ page: Int) throws(PageError) -> UInt64 { try space.load(at: address(page), as: UInt64.self) }

  /// The word at the start of a page, as the file has it.
  func written(_ page: Int, offset: Int = 0) -> UInt64 {
    MemoryStore.word(store.contents, at: page * Page.size + offset)
  }

  /// Runs `body` with a machine. Its memory must be whole again afterwards.
  static func run(
    pages: Int = 16, limit: Int = 8, ram: Int = 128, engine: PinEngine = .reference,
    stability: PageCache.Stability = .none,
    contents: [UInt8]? = nil, hooks: PageCache.Hooks = PageCache.Hooks(), sharing: Sharing = .shared,
    sourceLocation: SourceLocation = #_sourceLocation, _ body: (CacheStage) throws -> Void
  ) throws {
    let memory = try PhysicalMemory(ramPages: ram)
    do {
      let store = contents.map { MemoryStore($0) } ?? MemoryStore(pages: pages) { UInt8(truncatingIfNeeded: $0 + 1) }
      let cache = try PageCache(memory, store, limit: limit, stability: stability, maximumPages: 1 << 20, hooks: hooks)
      let space = AddressSpace(memory, engine: engine)
      let stage = CacheStage(memory: memory, store: store, cache: cache, space: space)
      try space.map(
        at: stage.start, pages: pages, protection: .readWrite, sharing: sharing, backing: .file(cache))
      try body(stage)
      #expect(cache.residentPages <= limit, sourceLocation: sourceLocation)
      space.exit()
    }
    memory.flushDeferredFrees()
    #expect(memory.census().isClean, sourceLocation: sourceLocation)
    #expect(memory.freePages == ram, sourceLocation: sourceLocation)
  }
}

/// The word that a page of a `MemoryStore` made by `CacheStage` begins with.
func originalWord(_ page: Int) -> UInt64 { 0x0101_0101_0101_0101 &* UInt64(UInt8(truncatingIfNeeded: page + 1)) }

extension PageCache {
  /// Waits until nothing is read, ahead neither.
  func waitForReads() {
    reader.changes.locked {
      while reader.readsUnderWay.load(ordering: .sequentiallyConsistent) > 0 { reader.changes.wait() }
    }
  }
}
