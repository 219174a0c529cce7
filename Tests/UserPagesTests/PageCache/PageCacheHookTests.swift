import TestSupport
import Testing

@testable import UserPages

/// What a cache asks and tells its owner.
@Suite struct PageCacheHookTests {
  /// A refused store is a bus error, and leaves the page clean.
  @Test(arguments: [PageError.file(.write, errno: 28), .outOfMemory], [true, false])
  func aStoreIsRefused(error: PageError, isMappedFirst: Bool) throws {
    let refuses = Locked(true)
    let asked = Locked<[Int]>([])
    let hooks = PageCache.Hooks(willStore: { page throws(PageError) in
      asked.withLock { $0.append(page) }
      if refuses.withLock({ $0 }) { throw error }
    })
    try CacheStage.run(hooks: hooks) { stage in
      let address = stage.address(3)
      if isMappedFirst { _ = try stage.space.load(at: address, count: 1) }
      let expected: PageError = error == .outOfMemory ? .outOfMemory : .busErrorOfFile(.write, errno: 28)
      #expect(throws: expected) { try stage.space.store(UInt64(1), at: address) }
      #expect(throws: error == .outOfMemory ? PageError.outOfMemory : .badAddress) {
        try stage.space.pin(at: address, .write).release()
      }
      #expect(throws: error) { try stage.cache.write([1], at: 3 * Page.size) }
      #expect(stage.cache.dirtyPages == 0)
      #expect(asked.withLock { Set($0) } == [3])
      refuses.withLock { $0 = false }
      try stage.space.store(UInt64(1), at: address)
      #expect(stage.cache.dirtyPages == 1)
    }
  }

  /// A hook may write pages back, as one that keeps few of them dirty does. Each write-back has the answers asked for
  /// again that came before it, and this one comes before the answer.
  @Test(arguments: [false, true])
  func aHookThatWritesBack(isMappedFirst: Bool) throws {
    let inside = Locked<(@Sendable () throws(PageError) -> Void)?>(nil)
    let asked = Locked(0)
    let hooks = PageCache.Hooks(willStore: { _ throws(PageError) in
      asked.withLock { $0 += 1 }
      try inside.withLock { $0 }?()
    })
    try CacheStage.run(hooks: hooks) { stage in
      let cache = stage.cache
      inside.withLock { $0 = { () throws(PageError) in try cache.flush(0..<4) } }
      for page in 0..<3 {
        if isMappedFirst { _ = try stage.word(page) }
        try stage.space.store(UInt64(page + 100), at: stage.address(page))
      }
      inside.withLock { $0 = nil }
      #expect(asked.withLock { $0 } == 3)
      #expect(cache.dirtyPages == 1 && stage.written(1) == 101)
    }
  }

  /// A write that is refused leaves the file's length, and shows nothing that a mapping stored behind the end.
  @Test func aWriteBehindTheEndIsRefused() throws {
    let refuses = Locked(false)
    let hooks = PageCache.Hooks(willStore: { _ throws(PageError) in
      if refuses.withLock({ $0 }) { throw PageError.file(.write, errno: 28) }
    })
    try CacheStage.run(pages: 1, contents: [UInt8](repeating: 1, count: 100), hooks: hooks) { stage in
      let (cache, bytes) = (stage.cache, [UInt8](repeating: 2, count: 100))
      try stage.space.store(UInt64(0xee), at: stage.start + 256)
      refuses.withLock { $0 = true }
      #expect(throws: PageError.file(.write, errno: 28)) { try cache.write(bytes, at: 200) }
      #expect(cache.byteCount == 100 && stage.store.byteCount == 100)
      #expect(try cache.read(at: 200, count: 100) == [])
      refuses.withLock { $0 = false }
      try cache.write([3], at: 270)
      #expect(cache.byteCount == 271)
      #expect(try cache.read(at: 100, count: 200) == [UInt8](repeating: 0, count: 170) + [3])
    }
  }

  /// A write over several pages makes the file longer page by page. So it ends behind the last page that was written.
  @Test func aLongWriteIsRefused() throws {
    let hooks = PageCache.Hooks(willStore: { page throws(PageError) in
      if page == 17 { throw PageError.file(.write, errno: 28) }
    })
    try CacheStage.run(hooks: hooks) { stage in
      let bytes = [UInt8](repeating: 9, count: 3 * Page.size)
      #expect(throws: PageError.file(.write, errno: 28)) { try stage.cache.write(bytes, at: 16 * Page.size) }
      #expect(stage.cache.byteCount == 17 * Page.size && stage.store.byteCount == 17 * Page.size)
      let written = try stage.cache.read(at: 16 * Page.size, count: 3 * Page.size)
      #expect(written == [UInt8](repeating: 9, count: Page.size))
      // What is beyond the most pages that the cache takes is refused before anything is written.
      let last = (1 << 20) * Page.size
      #expect(throws: PageError.file(.resize, errno: 27)) { try stage.cache.write(bytes, at: last - Page.size) }
      #expect(stage.cache.byteCount == 17 * Page.size)
    }
  }

  /// The log is written before the pages, which have read-only entries by then. If it cannot be, neither are they.
  @Test func theLogComesFirst() throws {
    let order = Locked<[String]>([])
    let failure = Locked<PageError?>(nil)
    let hooks = PageCache.Hooks(willWriteBack: { pages throws(PageError) in
      order.withLock { $0.append("log \(pages)") }
      if let error = failure.withLock({ $0 }) { throw error }
    })
    try CacheStage.run(hooks: hooks) { stage in
      stage.store.onCall { call in order.withLock { if case .write(let page, _) = call { $0.append("page \(page)") } } }
      try stage.space.store(UInt64(1), at: stage.address(3))
      try stage.space.store(UInt64(1), at: stage.address(5))
      try stage.cache.sync()
      #expect(order.withLock { $0 } == ["log [3, 5]", "page 3", "page 5"])
      failure.withLock { $0 = .file(.write, errno: 5) }
      try stage.space.store(UInt64(2), at: stage.address(3))
      #expect(throws: PageError.file(.write, errno: 5)) { try stage.cache.sync() }
      #expect(stage.written(3) == 1 && stage.cache.dirtyPages == 1)
      failure.withLock { $0 = nil }
      try stage.cache.sync()
      #expect(stage.written(3) == 2)
    }
  }

  /// What a hook may not do is refused, not waited for.
  @Test func insideAHook() throws {
    let inside = Locked<(@Sendable () -> Void)?>(nil)
    let hooks = PageCache.Hooks(willWriteBack: { _ throws(PageError) in inside.withLock { $0 }?() })
    try CacheStage.run(pages: 8, limit: 2, hooks: hooks) { stage in
      let (cache, space, first, third) = (stage.cache, stage.space, stage.address(0), stage.address(2))
      let seen = Locked<[PageError?]>([])
      try space.store(UInt64(1), at: first)
      try space.store(UInt64(1), at: stage.address(1))
      inside.withLock {
        $0 = {
          let errors = [
            error { () throws(PageError) in try cache.sync() },
            error { () throws(PageError) in try cache.flush(0..<1) },
            error { () throws(PageError) in try cache.setByteCount(1) },
            error { () throws(PageError) in _ = try space.load(at: first, count: 1) },
            error { () throws(PageError) in _ = try space.load(at: third, count: 1) },
          ]
          seen.withLock { $0 = errors }
        }
      }
      try cache.sync()
      #expect(seen.withLock { $0 } == [.busy, .busy, .busy, nil, .outOfMemory])
      inside.withLock { $0 = nil }
    }
  }

  /// A call of the store runs under the cache's locks. What would wait for them again is refused.
  @Test(arguments: [
    MemoryStore.Call.read(page: 5, count: 1), .write(page: 0, count: 1), .setByteCount(Page.size), .punchHole, .sync,
  ])
  func insideACallOfTheStore(call: MemoryStore.Call) throws {
    try CacheStage.run(pages: 8, limit: 3) { stage in
      let (cache, space, store, absent) = (stage.cache, stage.space, stage.store, stage.address(6))
      let seen = Locked<[PageError?]>([])
      let evicted = Locked(-1)
      try space.store(UInt64(1), at: stage.address(0))
      store.onCall { made in
        guard made == call else { return }
        let errors = [
          error { () throws(PageError) in try cache.sync() },
          error { () throws(PageError) in try cache.flush(0..<1) },
          error { () throws(PageError) in try cache.setByteCount(1) },
          error { () throws(PageError) in try cache.punchHole(0..<1) },
          error { () throws(PageError) in _ = try cache.read(at: 6 * Page.size, count: 1) },
          error { () throws(PageError) in _ = try space.load(at: absent, count: 1) },
        ]
        seen.withLock { $0 = errors }
        evicted.withLock { $0 = cache.evict(1) }
      }
      switch call {
      case .read: _ = try space.load(at: stage.address(5), count: 1)
      case .setByteCount: try cache.setByteCount(Page.size)
      case .punchHole: try cache.punchHole(1..<2)
      default: try cache.sync()
      }
      #expect(seen.withLock { $0 } == [.busy, .busy, .busy, .busy, .busy, .busError])
      #expect(evicted.withLock { $0 } == 0)
      store.onCall(nil)
      // Nothing is left of it.
      try cache.setByteCount(8 * Page.size)
      _ = try space.load(at: absent, count: 1)
      try cache.sync()
      #expect(cache.evict(1) == 1)
    }
  }

  /// The length is asked for under the cache's locks, as any other call of the store is made.
  @Test func insideTheLengthOfTheStore() throws {
    try CacheStage.run(pages: 8, limit: 3) { stage in
      let (cache, space, store, absent) = (stage.cache, stage.space, stage.store, stage.address(6))
      let seen = Locked<[PageError?]>([])
      store.onByteCount {
        let errors = [
          error { () throws(PageError) in try cache.sync() },
          error { () throws(PageError) in try cache.invalidate() },
          error { () throws(PageError) in _ = try cache.read(at: 6 * Page.size, count: 1) },
          error { () throws(PageError) in _ = try space.load(at: absent, count: 1) },
        ]
        seen.withLock { $0 = errors }
      }
      try cache.invalidate()
      #expect(seen.withLock { $0 } == [.busy, .busy, .busy, .busError])
      store.onByteCount(nil)
      #expect(try stage.word(6) == originalWord(6))
    }
  }

  /// The store of one cache may lie in another one.
  @Test func aStoreThatUsesAnotherCache() throws {
    try CacheStage.run(pages: 8) { inner in
      try CacheStage.run(pages: 8) { outer in
        let cache = inner.cache
        let seen = Locked<[UInt8]>([])
        outer.store.onCall { _ in
          let bytes = try? cache.read(at: 2 * Page.size, count: 1)
          seen.withLock { $0 = bytes ?? [] }
        }
        let word = try outer.word(1)
        #expect(word == originalWord(1))
        #expect(seen.withLock { $0 } == [3])
        outer.store.onCall(nil)
      }
    }
  }
}

private func error(_ body: () throws(PageError) -> Void) -> PageError? {
  do throws(PageError) { try body() } catch { return error }
  return nil
}
