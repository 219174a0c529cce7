/// A file of one page, of which the first word counts.
///
/// Plain variables: a cache reads no page while it writes that page, and changes the length alone. A race is its error.
private final class WordStore: PageStore, @unchecked Sendable {
  private(set) var word = Setting.content
  private(set) var byteCount = Page.size

  func read(from page: Int, into pages: borrowing LentPages) throws(PageError) { pages[0].store(word) }
  func write(from page: Int, _ pages: borrowing LentPages) throws(PageError) { word = pages[0].load() }
  func read(into pages: borrowing LentPages, at numbers: [Int]) -> [PageError?] {
    pages[0].store(word)
    return [nil]
  }
  func write(_ pages: borrowing LentPages, at numbers: [Int]) -> [PageError?] {
    word = pages[0].load()
    return [nil]
  }
  func punchHole(_ pages: Range<Int>) throws(PageError) { word = 0 }
  func sync() throws(PageError) {}

  func setByteCount(_ count: Int) throws(PageError) {
    if count == 0 { word = 0 }
    byteCount = count
  }
}

/// A machine with a page cache of one page over a file, which a space maps.
private struct CacheSetting {
  let setting: Setting
  let store = WordStore()
  let cache: PageCache
  let address = Setting.address + 8 * Page.size

  var space: AddressSpace { setting.space }

  init(_ engine: PinEngine, _ way: PinWay = .first, isResident: Bool = true, isDirty: Bool = false) {
    setting = Setting(engine: engine, way)
    cache = try! PageCache(setting.memory, store, limit: 2, maximumPages: 1)
    try! space.map(at: address, pages: 1, protection: .readWrite, sharing: .shared, backing: .file(cache))
    if isResident { _ = load() }
    if isDirty { try! space.store(Setting.content, at: address) }
  }

  func load() -> UInt64 { try! space.load(at: address) }

  /// Evicts the page, and lets another space use its frame.
  func evict() {
    if cache.evict(1) == 1 { setting.useFreeFrames() }
  }

  /// Checks that `value` is in memory, and then in the file.
  func end(with value: UInt64) {
    check(Setting.finalValue(space, at: address) == value, "a store to a file is lost")
    try! cache.sync()
    check(store.word == value, "a store has not come to the file")
    try! space.unmap(at: address, pages: 1)
    _ = cache.evict(1)
    setting.end()
    withExtendedLifetime(cache) {}
  }
}

/// Two faults on a page that is in the file: it is read once, and both find it.
func missAgainstMiss(_ engine: PinEngine) {
  let caches = CacheSetting(engine, isResident: false)
  inParallel(
    { check(caches.load() == Setting.content, "a page was not read") },
    { try! caches.space.store(Setting.foreign, at: caches.address + 8) })
  caches.end(with: Setting.content)
}

/// A file of two pages that hold their numbers.
private final class NumberStore: PageStore {
  let byteCount = 2 * Page.size

  func read(from page: Int, into pages: borrowing LentPages) throws(PageError) { pages[0].store(UInt64(page)) }
  func write(from page: Int, _ pages: borrowing LentPages) throws(PageError) {}
  func read(into pages: borrowing LentPages, at numbers: [Int]) -> [PageError?] {
    pages[0].store(UInt64(numbers[0]))
    return [nil]
  }
  func write(_ pages: borrowing LentPages, at numbers: [Int]) -> [PageError?] { [nil] }
  func punchHole(_ pages: Range<Int>) throws(PageError) {}
  func sync() throws(PageError) {}
  func setByteCount(_ count: Int) throws(PageError) {}
}

/// Two faults on two pages, and room for one: the second waits until the first has been read, evicts it, and is read.
func missAgainstMissWithoutRoom(_ engine: PinEngine) {
  let setting = Setting(engine: engine)
  let address = Setting.address + 8 * Page.size
  let cache = try! PageCache(setting.memory, NumberStore(), limit: 1, maximumPages: 2)
  try! setting.space.map(at: address, pages: 2, protection: .read, sharing: .shared, backing: .file(cache))
  func body(_ page: Int) -> Body {
    {
      // A thread that always comes too late gives up.
      let seen = try? setting.space.load(at: address + page * Page.size, as: UInt64.self)
      check(seen == nil || seen == UInt64(page), "a page is another one")
    }
  }
  inParallel(body(0), body(1))
  try! setting.space.unmap(at: address, pages: 2)
  _ = cache.evict(1)
  setting.end()
  withExtendedLifetime(cache) {}
}

/// A fault reads a page that is cut off: the page, or none.
func missAgainstCut(_ engine: PinEngine) {
  let caches = CacheSetting(engine, isResident: false)
  inParallel(
    {
      guard let seen = try? caches.space.load(at: caches.address, as: UInt64.self) else { return }
      check(seen == Setting.content, "a load saw another page")
    },
    {
      try! caches.cache.setByteCount(0)
      check((try? caches.space.load(at: caches.address, as: UInt64.self)) == nil, "a page beyond the end")
    })
  try! caches.cache.setByteCount(Page.size)
  caches.end(with: 0)
}

/// A fault reads a page while the cache forgets what it knows of the file: the page is the file's, before and after.
func missAgainstInvalidation(_ engine: PinEngine) {
  let caches = CacheSetting(engine, isResident: false)
  inParallel(
    { check(caches.load() == Setting.content, "a load saw another page") },
    { try! caches.cache.invalidate() })
  caches.end(with: Setting.content)
}

/// A load while its page is evicted: the page's bytes, before and after.
func loadAgainstEviction(_ engine: PinEngine) {
  let caches = CacheSetting(engine)
  inParallel({ check(caches.load() == Setting.content, "a load saw another space's page") }, { caches.evict() })
  caches.end(with: Setting.content)
}

/// A store while its page is evicted comes to the file.
func storeAgainstEviction(_ engine: PinEngine) {
  let caches = CacheSetting(engine)
  inParallel({ try! caches.space.store(Setting.foreign, at: caches.address) }, { caches.evict() })
  caches.end(with: Setting.foreign)
}

/// Two threads reclaim the one page that can be taken back, as two allocations do: it goes once, and a thread that
/// finds nothing because the other was there is not told that memory has come to its end, unless it came later.
func reclaimAgainstReclaim(_ engine: PinEngine) {
  let caches = CacheSetting(engine)
  let (first, second) = (Flag(), Flag())
  func body(_ gotOne: Flag) -> Body {
    { if caches.setting.memory.reclaimForAllocation() > 0 { gotOne.set() } }
  }
  inParallel(body(first), body(second))
  check(first.isSet || second.isSet, "no thread was told of the page that was taken back")
  check(caches.cache.evictedPages == 1, "a page was taken back twice, or not at all")
  caches.setting.useFreeFrames()
  caches.end(with: Setting.content)
}

/// A pinned page is not evicted, or the pin does not get it.
func pinAgainstEviction(_ engine: PinEngine, _ way: PinWay = .first) {
  let caches = CacheSetting(engine, way)
  inParallel({ caches.setting.pinAndLook(at: caches.address) }, { caches.evict() })
  caches.end(with: Setting.content)
}

/// A store to a dirty page that is being written: it is in what is written, or the page is dirty again.
func storeAgainstWriteBack(_ engine: PinEngine) {
  let caches = CacheSetting(engine, isDirty: true)
  inParallel({ try! caches.space.store(Setting.foreign, at: caches.address) }, { try! caches.cache.flush(0..<1) })
  caches.end(with: Setting.foreign)
}

/// The same for a store by a pin.
func pinAgainstWriteBack(_ engine: PinEngine, _ way: PinWay = .first) {
  let caches = CacheSetting(engine, way, isDirty: true)
  let stored = Flag()
  inParallel(
    {
      caches.space.withPin(way, at: caches.address, [.write, .fastOnly]) { _, store in
        store(Setting.foreign)
        stored.set()
      }
    },
    { try! caches.cache.flush(0..<1) })
  caches.end(with: stored.isSet ? Setting.foreign : Setting.content)
}

/// The same for a `write` to the file.
func writeAgainstWriteBack(_ engine: PinEngine) {
  let caches = CacheSetting(engine, isDirty: true)
  let bytes = (0..<8).map { UInt8(truncatingIfNeeded: Setting.foreign >> UInt64(8 * $0)) }
  inParallel({ try! caches.cache.write(bytes, at: 0) }, { try! caches.cache.flush(0..<1) })
  caches.end(with: Setting.foreign)
}
