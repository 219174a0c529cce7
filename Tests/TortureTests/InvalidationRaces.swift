import Foundation
import TestSupport
import Testing
import UserPages

extension TortureTests {
  /// A page cache that forgets its pages, dirty ones too, under programs, devices and the cache's own work.
  @Suite struct InvalidationRaces {
    /// What was safe before stays. What a program stored since may be lost. Nothing older comes back, and nothing that
    /// was never stored.
    @Test(arguments: Engines.all)
    func accesses(engine: PinEngine) throws {
      try race("access against invalidation", engine: engine) { torture, machine in
        let race = try CacheRace(machine, engine: engine, pages: 8, limit: 6)
        let (cache, region) = (race.cache, race.region)
        let safe = Board(2 * region.pages)
        let lost = torture.tally("invalidations", goal: 8)
        let stored = torture.tally("stores", goal: 64)
        torture.run([
          Worker("sync, invalidate") { run in
            while run.next() {
              try cache.sync()
              let durable = race.store.durable
              for thread in 0..<2 {
                for page in 0..<region.pages {
                  safe.announce(thread * region.pages + page, CacheRace.word(durable, page: page, thread: thread))
                }
              }
              run.pauseRandomly()
              try cache.invalidate()
              lost.count()
              usleep(200)
            }
          },
          Worker("count", threads: 2) { run in
            var last = [UInt64](repeating: 0, count: region.pages)
            while run.next() {
              let page = run.random.below(region.pages)
              let address = region.address(page) + 8 * run.index
              let before = safe[run.index * region.pages + page]
              let seen = try race.space.load(at: address, as: UInt64.self)
              torture.expect(seen >= before, "page \(page) shows \(seen), and \(before) was safe")
              torture.expect(seen <= last[page], "page \(page) shows \(seen), the last store was \(last[page])")
              last[page] += 1
              try race.space.store(last[page], at: address)
              stored.count()
              run.pauseRandomly()
            }
          },
          Worker("pin", threads: 2) { run in
            let place = Stamp.deviceOffset(run.index)
            while run.next() {
              let address = region.address(run.random.below(region.pages))
              let pin = try race.space.pin(at: address, .write, orGiveUpOn: [.outOfMemory])
              guard let pin else { continue }
              // The frame is the holder's as long as it is held, in the cache or not.
              let word = UInt64(run.index + 1) << 48 | UInt64(run.turn)
              pin.deviceBytes.store(word, toByteOffset: place)
              run.pauseRandomly()
              let found = pin.deviceBytes.load(fromByteOffset: place, as: UInt64.self)
              torture.expect(found == word, "the device stored \(word), and finds \(found)")
              pin.release(dirty: true)
            }
          },
          race.evicting(torture, goal: 4),
        ])
        try race.compare(torture)
        race.space.exit()
      }
    }
  }
}
