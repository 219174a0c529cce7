import Foundation
import TestSupport
import UserPages

/// A file in a small cache, mapped by one space, and the roles that the races of page caches share.
struct CacheRace {
  let store: MemoryStore
  let cache: PageCache
  let space: AddressSpace
  let region: Region

  init(_ machine: Machine, engine: PinEngine, pages: Int, limit: Int, stability: PageCache.Stability = .none) throws {
    store = MemoryStore(pages: pages)
    cache = try PageCache(machine.memory, store, limit: limit, stability: stability, maximumPages: 1 << 10)
    space = AddressSpace(machine.memory, engine: engine)
    region = Region(at: 0x7000_0000, pages: pages)
    try space.map(at: region.start, pages: pages, protection: .readWrite, sharing: .shared, backing: .mixed(cache))
  }

  /// Threads that count up in the file's pages. `published` has room for them, and for the words of others.
  func counting(_ published: Board, threads: Int, _ torture: Torture) -> Worker {
    CountedWords(space, region, threads: threads, published: published).counting(torture)
  }

  /// The word of one thread in a page, as the store has it.
  static func word(_ contents: [UInt8], page: Int, thread: Int) -> UInt64 {
    MemoryStore.word(contents, at: page * Page.size + 8 * thread)
  }

  /// Evicts a few pages, over and over.
  func evicting(_ torture: Torture, goal: Int = 16) -> Worker {
    let evicted = torture.tally("pages evicted", goal: goal)
    return Worker("evict") { [cache] run in
      while run.next() {
        evicted.count(cache.evict(1 + run.random.below(4)))
        torture.expect(cache.residentPages <= cache.limit, "\(cache.residentPages) pages of \(cache.limit)")
        run.pauseRandomly()
      }
    }
  }

  /// Syncs, and looks whether what was stored before is safe. `published` has `threads` words for each page.
  func syncing(_ published: Board, threads: Int, _ torture: Torture) -> Worker {
    let synced = torture.tally("syncs", goal: 4)
    return Worker("sync") { [cache, store, region] run in
      while run.next() {
        let before = (0..<threads * region.pages).map { published[$0] }
        if run.random.oneIn(4) { try cache.flush(0..<region.pages / 2) }
        try cache.sync()
        let durable = store.durable
        for thread in 0..<threads {
          for page in 0..<region.pages {
            let safe = Self.word(durable, page: page, thread: thread)
            let stored = before[thread * region.pages + page]
            torture.expect(
              safe >= stored, "page \(page) of thread \(thread): \(safe) is safe, \(stored) was stored before")
          }
        }
        synced.count()
        run.pauseRandomly()
      }
    }
  }

  /// That the file has what the program sees, once nothing runs any more.
  func compare(_ torture: Torture) throws {
    try cache.sync()
    let contents = store.durable
    for page in 0..<region.pages {
      let seen = try space.load(at: region.address(page), count: Page.size)
      torture.expect(
        seen.elementsEqual(contents[page * Page.size..<(page + 1) * Page.size]), "page \(page) differs from the file")
    }
  }
}

extension Worker {
  /// Syncs a cache, over and over.
  static func syncing(_ cache: PageCache) -> Worker {
    Worker("sync") { run in
      while run.next() {
        try cache.sync()
        run.pauseRandomly()
      }
    }
  }
}
