import Measuring
import Synchronization
import UserPages

/// A `PageCache` behind a mapping. A hit is a page that the mapping shows: the cache is not asked.
final class CacheSubject: PoolSubject {
  enum Access {
    /// Pins the page, uses its bytes, and releases it.
    case pin
    /// Loads and stores by address: nothing is held.
    case load
  }

  let name: String
  private let kind: Access
  private let store: CountingStore
  private let cache: PageCache
  private let space: AddressSpace

  init(_ name: String, _ engine: PinEngine, _ kind: Access, _ file: PoolFile, limit: Int) throws(PageError) {
    self.name = name
    self.kind = kind
    // Frames that were evicted come back after a grace period.
    let memory = try PhysicalMemory(ramPages: limit + 64)
    store = CountingStore(try DirectFile(path: file.path))
    cache = try PageCache(memory, store, limit: limit)
    space = AddressSpace(memory, engine: engine)
    try space.map(
      at: accessedArea, pages: file.pages, protection: .readWrite, sharing: .shared, backing: .file(cache))
  }

  deinit { space.exit() }

  func can(_ work: PoolWork) -> Bool { true }

  func access(_ draws: UnsafeBufferPointer<UInt32>) -> Int {
    kind == .pin ? pinLoop(space, draws) : loadLoop(space, draws)
  }

  var misses: Int { store.reads.load(ordering: .relaxed) }
  var copies: Int { cache.copiedPages }

  func check() -> String? {
    do throws(PageError) { try cache.sync() } catch { return "the file cannot be written: \(error.name)" }
    return cache.residentPages > cache.limit ? "the limit is exceeded" : nil
  }
}

/// The same pins on anonymous memory, all of which is there: what a hit is compared with.
final class BareSubject: PoolSubject {
  let name: String
  private let space: AddressSpace

  init(_ name: String, _ engine: PinEngine, pages: Int) throws(PageError) {
    self.name = name
    space = AddressSpace(try PhysicalMemory(ramPages: pages + 4096), engine: engine)
    try space.map(at: accessedArea, pages: pages, protection: .readWrite)
    for page in 0..<pages {
      let draw = Draw(page: page, isStore: false)
      try space.store(UInt64(page), at: accessedArea + page * Page.size + draw.numberOffset)
    }
  }

  deinit { space.exit() }

  func can(_ work: PoolWork) -> Bool { work == .hits }
  func access(_ draws: UnsafeBufferPointer<UInt32>) -> Int { pinLoop(space, draws) }
  var misses: Int { 0 }
}

/// Where the pages lie.
private let accessedArea: VirtualAddress = 0x10_0000_0000

@inline(never)
private func pinLoop(_ space: AddressSpace, _ draws: UnsafeBufferPointer<UInt32>) -> Int {
  var failures = 0
  for draw in draws {
    let draw = Draw(rawValue: draw)
    do throws(PageError) {
      let pin = try space.pin(at: accessedArea + draw.page &* Page.size, draw.isStore ? .write : [])
      if pin.load(fromByteOffset: draw.numberOffset, as: UInt64.self) != UInt64(draw.page) { failures += 1 }
      if draw.isStore { pin.store(UInt64(draw.rawValue), toByteOffset: draw.numberOffset + 8) }
      pin.release(dirty: draw.isStore)
    } catch {
      failures += 1
    }
  }
  return failures
}

@inline(never)
private func loadLoop(_ space: AddressSpace, _ draws: UnsafeBufferPointer<UInt32>) -> Int {
  var failures = 0
  for draw in draws {
    let draw = Draw(rawValue: draw)
    let address = accessedArea + draw.page &* Page.size + draw.numberOffset
    do throws(PageError) {
      if try space.load(at: address, as: UInt64.self) != UInt64(draw.page) { failures += 1 }
      if draw.isStore { try space.store(UInt64(draw.rawValue), at: address + 8) }
    } catch {
      failures += 1
    }
  }
  return failures
}

/// A file that counts the pages read from it and written to it.
final class CountingStore: PageStore {
  let reads = Atomic<Int>(0)
  let writes = Atomic<Int>(0)
  private let file: DirectFile

  init(_ file: DirectFile) { self.file = file }

  var byteCount: Int { file.byteCount }
  func refreshByteCount() throws(PageError) { try file.refreshByteCount() }

  func read(from page: Int, into pages: borrowing LentPages) throws(PageError) {
    reads.wrappingAdd(pages.count, ordering: .relaxed)
    try file.read(from: page, into: pages)
  }

  func read(into pages: borrowing LentPages, at numbers: [Int]) -> [PageError?] {
    reads.wrappingAdd(pages.count, ordering: .relaxed)
    return file.read(into: pages, at: numbers)
  }

  func write(from page: Int, _ pages: borrowing LentPages) throws(PageError) {
    writes.wrappingAdd(pages.count, ordering: .relaxed)
    try file.write(from: page, pages)
  }

  func write(_ pages: borrowing LentPages, at numbers: [Int]) -> [PageError?] {
    writes.wrappingAdd(pages.count, ordering: .relaxed)
    return file.write(pages, at: numbers)
  }

  func setByteCount(_ count: Int) throws(PageError) { try file.setByteCount(count) }
  func punchHole(_ pages: Range<Int>) throws(PageError) { try file.punchHole(pages) }
  func sync() throws(PageError) { try file.sync() }
}
