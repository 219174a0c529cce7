import Foundation
import TestSupport
import Testing
import UserPages

extension TortureTests {
  /// Loads and stores against write-back and eviction. No store is lost, no load sees an older page, what `sync` called
  /// safe is safe, and the limit holds.
  @Suite struct AccessAgainstWriteBack {
    @Test(arguments: Engines.all, [PageCache.Stability.none, .adapts])
    func counters(engine: PinEngine, stability: PageCache.Stability) throws {
      try race("access against write-back, stability \(stability)", engine: engine) { torture, machine in
        let race = try CacheRace(machine, engine: engine, pages: 12, limit: 5, stability: stability)
        let published = Board(2 * race.region.pages)
        torture.run([
          race.counting(published, threads: 2, torture), race.evicting(torture),
          race.syncing(published, threads: 2, torture),
        ])
        try race.compare(torture)
        race.space.exit()
      }
    }

    /// Children that store, too, by entries that they inherited.
    @Test(arguments: Engines.all)
    func forks(engine: PinEngine) throws {
      try race("fork against write-back", engine: engine) { torture, machine in
        let race = try CacheRace(machine, engine: engine, pages: 8, limit: 5)
        let published = Board(3 * race.region.pages)
        let children = torture.tally("children", goal: 8)
        torture.run([
          race.counting(published, threads: 2, torture), race.evicting(torture, goal: 4),
          race.syncing(published, threads: 3, torture),
          Worker("fork") { run in
            while run.next() {
              let child = try race.space.fork()
              for _ in 0..<4 {
                let page = run.random.below(race.region.pages)
                let mine = 2 * race.region.pages + page
                let own = published[mine]
                let last = try child.load(at: race.region.address(page) + 16, as: UInt64.self)
                torture.expect(last == own, "children stored \(own) to page \(page), a later one finds \(last)")
                try child.store(own + 1, at: race.region.address(page) + 16)
                published.announce(mine, own + 1)
              }
              child.exit()
              children.count()
            }
          },
        ])
        try race.compare(torture)
        race.space.exit()
      }
    }

    /// `read` and `write` beside the mapping.
    @Test(arguments: Engines.lockless, [PageCache.Stability.none, .waits, .adapts])
    func files(engine: PinEngine, stability: PageCache.Stability) throws {
      try race("read and write against write-back, stability \(stability)", engine: engine) { torture, machine in
        let race = try CacheRace(machine, engine: engine, pages: 8, limit: 4, stability: stability)
        let published = Board(3 * race.region.pages)
        torture.run([
          race.counting(published, threads: 2, torture), race.evicting(torture),
          race.syncing(published, threads: 3, torture),
          Worker("write") { run in
            while run.next() {
              let page = run.random.below(race.region.pages)
              let mine = 2 * race.region.pages + page
              let own = published[mine]
              let last = MemoryStore.word(try race.cache.read(at: page * Page.size + 16, count: 8), at: 0)
              torture.expect(last == own, "`write` wrote \(own) to page \(page), and reads \(last)")
              let bytes = (0..<8).map { UInt8(truncatingIfNeeded: (own + 1) >> UInt64(8 * $0)) }
              try race.cache.write(bytes, at: page * Page.size + 16)
              published.announce(mine, own + 1)
            }
          },
        ])
        try race.compare(torture)
        race.space.exit()
      }
    }

    /// A stable cache writes moments, even while programs store: what a call writes does not change under it.
    @Test(arguments: Engines.lockless, [PageCache.Stability.waits, .copies, .adapts])
    func stablePages(engine: PinEngine, stability: PageCache.Stability) throws {
      try race("stores against stable write-back, \(stability)", engine: engine) { torture, machine in
        let race = try CacheRace(machine, engine: engine, pages: 4, limit: 4, stability: stability)
        let written = torture.tally("pages written", goal: 16)
        race.store.onWrite { pages in
          for index in 0..<pages.count {
            let before = pages[index].copy(count: Page.size)
            usleep(50)
            torture.expect(pages[index].copy(count: Page.size) == before, "a page changed while it was written")
            written.count()
          }
        }
        torture.run([
          Worker("store", threads: 2) { run in
            while run.next() {
              let page = run.random.below(race.region.pages)
              let at = race.region.address(page) + 8 * run.random.below(512)
              if run.random.oneIn(3) {
                try race.cache.write([UInt8(truncatingIfNeeded: run.turn)], at: at - race.region.start)
              } else {
                try race.space.store(UInt64(run.turn), at: at)
              }
            }
          },
          .syncing(race.cache),
        ])
        race.store.onWrite(nil)
        try race.compare(torture)
        race.space.exit()
      }
    }
  }
}
