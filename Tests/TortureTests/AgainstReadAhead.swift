import Foundation
import TestSupport
import Testing
import UserPages

extension TortureTests {
  /// Readers that go through a file in order, each with a window of its own, under cuts, evictions and stores.
  @Suite struct AgainstReadAhead {
    @Test(arguments: Engines.all)
    func streams(engine: PinEngine) throws {
      try race("streams of a file", engine: engine) { torture, machine in
        let race = try CacheRace(machine, engine: engine, pages: 64, limit: 32)
        let (space, cache, region) = (race.space, race.cache, race.region)
        let kept = 24
        for page in 0..<region.pages { try space.store(UInt64(page + 1), at: region.address(page)) }
        try cache.sync()
        let read = torture.tally("pages read in order", goal: 256)
        let cuts = torture.tally("cuts", goal: 4)
        torture.run([
          Worker("stream", threads: 3) { run in
            while run.next() {
              // A program's page: its number, or nothing where it was cut off.
              let start = run.random.below(region.pages)
              for page in start..<min(start + 16, region.pages) {
                do throws(PageError) {
                  let seen = try space.load(at: region.address(page), as: UInt64.self)
                  torture.expect(
                    seen == UInt64(page + 1) || (page >= kept && seen == 0), "page \(page) shows \(seen)")
                  read.count()
                } catch {
                  torture.expect(error == .busError && page >= kept, "page \(page): \(error)")
                }
              }
              run.pauseRandomly()
            }
          },
          Worker("truncate") { run in
            while run.next() {
              try cache.setByteCount((kept + run.random.below(region.pages - kept)) * Page.size)
              run.pauseRandomly()
              try cache.setByteCount(region.pages * Page.size)
              for page in kept..<region.pages where run.random.oneIn(2) {
                try space.store(UInt64(page + 1), at: region.address(page))
              }
              cuts.count()
              usleep(200)
            }
          },
          race.evicting(torture, goal: 4),
          .syncing(cache),
        ])
        let counts = cache.readAheadCounts
        torture.expect(counts.pages > 0 && counts.pages >= counts.hits + counts.wasted, "\(counts)")
        try race.compare(torture)
        space.exit()
      }
    }
  }
}
