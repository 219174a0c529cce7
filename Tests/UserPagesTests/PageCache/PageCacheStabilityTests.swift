import Glibc
import Synchronization
import TestSupport
import Testing

@testable import UserPages

/// What is written of a page while programs store to it.
@Suite struct PageCacheStabilityTests {
  static let stable: [PageCache.Stability] = [.waits, .copies, .adapts]

  /// A stable cache writes what a page held before the write began. Where the page is copied, and where nothing is
  /// stable, stores come in meanwhile.
  @Test(arguments: [PageCache.Stability.none] + stable)
  func storesDuringAWrite(stability: PageCache.Stability) throws {
    try CacheStage.run(stability: stability) { stage in
      let (space, cache, address) = (stage.space, stage.cache, stage.address(1))
      let comesIn = stability == .none || stability == .copies
      try space.store(UInt64(1), at: address)
      let finished = Rounds(2)
      let threads = Locked(0)
      stage.store.onCall { call in
        guard case .write = call, threads.withLock({ $0 == 0 }) else { return }
        threads.withLock { $0 = 2 }
        for index in 1...2 {
          runThread { [unowned space, unowned cache] in
            if index == 1 {
              try? space.store(UInt64(2), at: address)
            } else {
              try? cache.write([3], at: Page.size + 8)
            }
            finished.arrive()
          }
        }
        if comesIn { finished.wait() } else { pauseBriefly() }
      }
      try stage.cache.sync()
      stage.store.onCall(nil)
      let isOld = stability != .none
      #expect(stage.written(1) == (isOld ? 1 : 2))
      #expect((stage.written(1, offset: 8) & 0xff == 3) == !isOld)
      finished.wait()
      #expect(stage.cache.dirtyPages == 1)
      try stage.cache.sync()
      #expect(stage.written(1) == 2 && stage.written(1, offset: 8) & 0xff == 3)
    }
  }

  /// What the hook stores is written with its batch. Its entry is read-only again before the batch is: another thread
  /// would store through it without a fault.
  @Test(arguments: [PageCache.Stability.waits, .copies], [false, true])
  func aHookThatStores(stability: PageCache.Stability, byPin: Bool) throws {
    let inside = Locked<(@Sendable () throws(PageError) -> Void)?>(nil)
    let hooks = PageCache.Hooks(willWriteBack: { _ throws(PageError) in try inside.withLock { $0 }?() })
    try CacheStage.run(stability: stability, hooks: hooks) { stage in
      let (space, first) = (stage.space, stage.address(0))
      for page in 0..<2 { try space.store(UInt64(1), at: stage.address(page)) }
      inside.withLock {
        $0 = { () throws(PageError) in
          guard byPin else { return try space.store(UInt64(2), at: first) }
          let pin = try space.pin(at: first, .write)
          pin.store(UInt64(2))
          pin.release(dirty: true)
        }
      }
      let entries = Locked<[EntryInformation]>([])
      stage.store.onCall { call in
        if case .write = call { entries.withLock { $0.append(space.entry(at: first)) } }
      }
      try stage.cache.sync()
      stage.store.onCall(nil)
      inside.withLock { $0 = nil }
      #expect(entries.withLock { $0.map(\.protection) } == [.read], "a page can change while it is written")
      #expect(stage.written(0) == 2 && stage.written(1) == 1)
      #expect(stage.cache.dirtyPages == 0)
      try space.store(UInt64(3), at: first)
      #expect(stage.cache.dirtyPages == 1)
    }
  }

  /// Copies are made as long as stores meet them, and no longer.
  @Test func itAdapts() throws {
    try CacheStage.run(stability: .adapts) { stage throws in
      let (space, cache, address) = (stage.space, stage.cache, stage.address(1))
      func copiesOfSync(meeting isMet: Bool) throws -> Int {
        try space.store(UInt64(1), at: address)
        let before = cache.copiedPages
        let finished = Rounds(1)
        stage.store.onCall { call in
          guard case .write = call, isMet else { return }
          runThread { [unowned space, unowned cache] in
            try? space.store(UInt64(2), at: address)
            _ = cache
            finished.arrive()
          }
          // The store is asleep, or over.
          while cache.storesDuringWrites.load(ordering: .relaxed) == 0 {}
        }
        try cache.sync()
        if isMet { finished.wait() }
        stage.store.onCall(nil)
        return cache.copiedPages - before
      }
      #expect(try copiesOfSync(meeting: false) == 0)
      #expect(try copiesOfSync(meeting: true) == 0)
      #expect(try copiesOfSync(meeting: true) == 1)
      #expect(try copiesOfSync(meeting: false) == 1)
      #expect(try copiesOfSync(meeting: false) == 0)
    }
  }

  /// A checksum of the pages that a call writes fits what the call then writes, under threads that store all the time.
  /// Without stability it does not, so the test can tell.
  @Test(arguments: [PageCache.Stability.none] + stable)
  func checksums(stability: PageCache.Stability) throws {
    try CacheStage.run(pages: 4, limit: 4, stability: stability) { stage in
      let stores = Atomic(0)
      let isOver = Atomic(false)
      let counts = Locked((written: 0, wrong: 0))
      let threads = (0..<2).map { thread in
        CheckedThread {
          var step = 0
          while !isOver.load(ordering: .acquiring) {
            step += 1
            try stage.space.store(UInt64(step), at: stage.address(step % 4) + (step % 256 * 2 + thread) * 8)
            stores.wrappingAdd(1, ordering: .relaxed)
          }
        }
      }
      stage.store.onWrite { pages in
        let sums = Self.sums(pages)
        // Stores come in, if they may. Threads that wait for this very call, or have ended, are not waited for.
        let before = stores.load(ordering: .relaxed)
        var turns = 0
        while stores.load(ordering: .relaxed) < before + 16, stability == .none || turns < 20,
          !isOver.load(ordering: .acquiring)
        {
          usleep(200)
          turns += 1
        }
        let wrong = zip(Self.sums(pages), sums).count { $0 != $1 }
        counts.withLock { $0 = ($0.written + sums.count, $0.wrong + wrong) }
      }
      for _ in 0..<20 {
        let before = stores.load(ordering: .relaxed)
        while stores.load(ordering: .relaxed) < before + 4 {}
        try stage.cache.sync()
      }
      isOver.store(true, ordering: .releasing)
      for thread in threads { try thread.join() }
      stage.store.onWrite(nil)
      let (written, wrong) = counts.withLock { $0 }
      #expect(written >= 20)
      #expect(
        stability == .none ? wrong > 0 : wrong == 0, "\(wrong) of \(written) pages changed while they were written")
    }
  }

  private static func sums(_ pages: borrowing LentPages) -> [UInt64] {
    var sums: [UInt64] = []
    for index in 0..<pages.count {
      let page = pages[index]
      sums.append((0..<512).reduce(0) { $0 &* 31 &+ page.load(fromByteOffset: $1 * 8, as: UInt64.self) })
    }
    return sums
  }

  /// The pages that a stable cache has written may be stored to: a checksum fits what is written, under storing threads
  /// too.
  @Test(arguments: stable)
  func aStoreThatSealsPages(stability: PageCache.Stability) throws {
    let memory = try PhysicalMemory(ramPages: 128)
    do {
      let store = SealingStore(pages: 16)
      let cache = try PageCache(memory, store, limit: 4, stability: stability)
      let space = AddressSpace(memory, engine: .slot)
      try space.map(at: 0x4000_0000, pages: 16, protection: .readWrite, sharing: .shared, backing: .file(cache))
      let finished = Rounds(2)
      for thread in 0..<2 {
        runThread { [unowned space] in
          for step in 0..<2000 {
            let page = VirtualAddress(0x4000_0000) + step * 7 % 16 * Page.size
            try? space.store(UInt64(step), at: page + (step % 100 * 2 + thread) * 8)
          }
          finished.arrive()
        }
      }
      for _ in 0..<20 { try cache.sync() }
      finished.wait()
      // A held page is written from a copy, which gets the sum.
      let pin = try space.pin(at: 0x4000_0000, .write)
      pin.store(UInt64(1), toByteOffset: 256 * 8)
      try cache.sync()
      #expect(SealingStore.isSealed(store.file.contents, page: 0))
      pin.release()
      #expect(store.writes > 16 && store.wrongSums == 0)
      for page in 0..<16 { #expect(SealingStore.isSealed(store.file.contents, page: page)) }
      space.exit()
    }
    memory.flushDeferredFrees()
    #expect(memory.census().isClean)
  }

  /// Without a stable cache the pages are not to be stored to.
  @Test func pagesThatMayNotBeSealed() throws {
    let memory = try PhysicalMemory(ramPages: 64)
    let store = SealingStore(pages: 4)
    let cache = try PageCache(memory, store, limit: 4)
    try cache.write([1], at: 0)
    #expect(throws: PageError.readOnly) { try cache.sync() }
  }
}

/// A store that puts the sum of a page's words into its last one.
private final class SealingStore: PageStore {
  let file: MemoryStore
  private let counts = Locked((writes: 0, wrongSums: 0))

  init(pages: Int) { file = MemoryStore(pages: pages) }

  var writes: Int { counts.withLock { $0.writes } }
  /// Pages that were read and had not the sum of their words.
  var wrongSums: Int { counts.withLock { $0.wrongSums } }

  static func isSealed(_ contents: [UInt8], page: Int) -> Bool {
    let sum = (0..<511).reduce(UInt64(0)) { $0 &+ MemoryStore.word(contents, at: page * Page.size + $1 * 8) }
    return sum == MemoryStore.word(contents, at: page * Page.size + 511 * 8)
  }

  var byteCount: Int { file.byteCount }

  func read(from page: Int, into pages: borrowing LentPages) throws(PageError) {
    try file.read(from: page, into: pages)
    for index in 0..<pages.count where sum(pages[index]) != pages[index].load(fromByteOffset: 511 * 8, as: UInt64.self)
    {
      counts.withLock { $0.wrongSums += 1 }
    }
  }

  func write(from page: Int, _ pages: borrowing LentPages) throws(PageError) {
    guard pages.isWritable else { throw .readOnly }
    for index in 0..<pages.count { pages[index].store(sum(pages[index]), toByteOffset: 511 * 8) }
    counts.withLock { $0.writes += pages.count }
    try file.write(from: page, pages)
  }

  private func sum(_ page: borrowing PageBytes) -> UInt64 {
    (0..<511).reduce(0) { $0 &+ page.load(fromByteOffset: $1 * 8, as: UInt64.self) }
  }

  func setByteCount(_ count: Int) throws(PageError) { try file.setByteCount(count) }
  func punchHole(_ pages: Range<Int>) throws(PageError) { try file.punchHole(pages) }
  func sync() throws(PageError) { try file.sync() }
}
