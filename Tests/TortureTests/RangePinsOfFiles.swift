import Foundation
import TestSupport
import Testing
import UserPages

extension TortureTests {
  /// Pins of many pages of a file at once, against all that a page cache does to its pages.
  @Suite struct RangePinsOfFiles {
    /// More pages in RAM than the ranges hold: the programs beside them need some.
    private static let (pages, limit, longest) = (12, 10, 3)

    @Test(arguments: Engines.all)
    func writeBackAndEviction(engine: PinEngine) throws {
      try race("range pins against write-back", engine: engine) { torture, machine in
        let race = try CacheRace(machine, engine: engine, pages: Self.pages, limit: Self.limit)
        let published = Board(2 * race.region.pages)
        torture.run([
          race.counting(published, threads: 2, torture), race.evicting(torture),
          race.syncing(published, threads: 2, torture), pinning(race, 0..<race.region.pages, torture),
        ])
        machine.memory.flushDeferredFrees()
        try race.compare(torture)
        race.space.exit()
      }
    }

    /// What is written of a page does not change under the write, whatever its holders store.
    @Test(arguments: Engines.lockless, [PageCache.Stability.waits, .copies, .adapts])
    func stableWriteBack(engine: PinEngine, stability: PageCache.Stability) throws {
      try race("range pins against stable write-back, \(stability)", engine: engine) { torture, machine in
        let race = try CacheRace(
          machine, engine: engine, pages: Self.pages, limit: Self.limit, stability: stability)
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
          race.counting(Board(2 * race.region.pages), threads: 2, torture), race.evicting(torture, goal: 4),
          .syncing(race.cache), pinning(race, 0..<race.region.pages, torture),
        ])
        race.store.onWrite(nil)
        machine.memory.flushDeferredFrees()
        try race.compare(torture)
        race.space.exit()
      }
    }

    /// Ranges across a cut or a hole: holder and program see one page before it. Behind it a pin keeps the orphan.
    @Test(arguments: Engines.all, [false, true])
    func truncation(engine: PinEngine, isHole: Bool) throws {
      try race("range pins against \(isHole ? "holes" : "truncation")", engine: engine) { torture, machine in
        let race = try CacheRace(machine, engine: engine, pages: Self.pages, limit: Self.limit)
        let (cache, region) = (race.cache, race.region)
        let kept = region.pages / 2
        let cuts = torture.tally("cuts", goal: 8)
        torture.run([
          Worker("cut") { run in
            while run.next() {
              for page in kept..<region.pages {
                try? cache.write(Self.fill(run.turn), at: page * Page.size)
              }
              run.pauseRandomly()
              if isHole {
                try cache.punchHole(kept..<region.pages)
              } else {
                try cache.setByteCount(kept * Page.size)
                try cache.setByteCount(region.pages * Page.size)
              }
              cuts.count()
              usleep(200)
            }
          },
          pinning(race, 0..<kept, torture), holdingOrphans(race, kept..<region.pages, torture),
          race.evicting(torture, goal: 4), .syncing(cache),
        ])
        machine.memory.flushDeferredFrees()
        try race.compare(torture)
        race.space.exit()
      }
    }

    /// A cache that forgets its pages, which no program stores to: each page is always the file's.
    @Test(arguments: Engines.all)
    func invalidation(engine: PinEngine) throws {
      try race("range pins against invalidation", engine: engine) { torture, machine in
        let race = try CacheRace(machine, engine: engine, pages: Self.pages, limit: Self.limit)
        let region = race.region
        @Sendable func word(_ page: Int) -> UInt64 { UInt64(page + 1) << 32 }
        for page in 0..<region.pages { try race.space.store(word(page), at: region.address(page)) }
        try race.cache.sync()
        let pinned = torture.tally("pages pinned in ranges", goal: 32)
        torture.run([
          Worker("invalidate", goal: 8) { run in
            while run.next() {
              try race.cache.invalidate()
              run.pauseRandomly()
            }
          },
          Worker("pin ranges", threads: 2) { run in
            while run.next() {
              let (first, count) = Self.range(in: 0..<region.pages, &run)
              let pins = try race.space.pin(
                at: region.address(first), pages: count, run.random.oneIn(2) ? [] : .get, orGiveUpOn: [.outOfMemory])
              guard let pins else { continue }
              for _ in 0..<2 {
                for index in pins.indices {
                  let seen = pins.deviceBytes(at: index).load(as: UInt64.self)
                  torture.expect(seen == word(first + index), "page \(first + index) shows \(seen)")
                }
                run.pauseRandomly()
              }
              pinned.count(pins.count)
              pins.release()
            }
          },
          race.evicting(torture, goal: 4), .syncing(race.cache),
        ])
        race.space.exit()
      }
    }

    // MARK: Roles

    private static func range(in pages: Range<Int>, _ run: inout WorkerContext) -> (first: Int, count: Int) {
      let count = 1 + run.random.below(Self.longest)
      return (pages.lowerBound + run.random.below(pages.count - count + 1), count)
    }

    /// A page of one byte, again and again. Two turns in a row have different ones.
    private static func fill(_ turn: Int) -> [UInt8] { [UInt8](repeating: UInt8(1 + turn % 250), count: Page.size) }

    private static func isFill(_ word: UInt64) -> Bool { word == (word & 0xff) &* 0x0101_0101_0101_0101 }

    /// Devices that pin ranges of pages which stay. Each has a word of its own in every page, and finds what it stored
    /// last. The program sees it while the range is held.
    private func pinning(_ race: CacheRace, _ pages: Range<Int>, _ torture: Torture) -> Worker {
      let pinned = torture.tally("pages pinned in ranges", goal: 32)
      let options: [PinOptions] = [.write, [], .get, [.get, .write], [.write, .fastOnly]]
      let stored = Board(2 * race.region.pages)
      return Worker("pin ranges", threads: 2) { run in
        let place = Stamp.deviceOffset(run.index)
        while run.next() {
          let (first, count) = Self.range(in: pages, &run)
          let options = options[run.random.below(options.count)]
          let address = race.region.address(first)
          let pins = try race.space.pin(at: address, pages: count, options, orGiveUpOn: [.outOfMemory])
          guard let pins else { continue }
          for index in pins.indices {
            let mine = run.index * race.region.pages + first + index
            let bytes = pins.deviceBytes(at: index)
            let seen = bytes.load(fromByteOffset: place, as: UInt64.self)
            torture.expect(seen == stored[mine], "the device stored \(stored[mine]), and finds \(seen)")
            guard options.contains(.write) else { continue }
            let word = stored[mine] + 1
            bytes.store(word, toByteOffset: place)
            stored[mine] = word
          }
          run.pauseRandomly()
          if options.contains(.write) {
            for index in pins.indices {
              let loaded = try race.space.load(at: address + index * Page.size + place, as: UInt64.self)
              let own = stored[run.index * race.region.pages + first + index]
              torture.expect(loaded == own, "the program sees \(loaded), the device stored \(own)")
            }
          }
          pinned.count(pins.count)
          pins.release(dirty: options.contains(.write))
        }
      }
    }

    /// Devices that pin ranges of pages which come and go. A frame shows its holder's own words and the file's as long
    /// as it is held, and no other page's.
    private func holdingOrphans(_ race: CacheRace, _ pages: Range<Int>, _ torture: Torture) -> Worker {
      let pinned = torture.tally("pages pinned behind the cut", goal: 16)
      return Worker("pin behind the cut", threads: 2) { run in
        let place = Stamp.deviceOffset(run.index)
        while run.next() {
          let (first, count) = Self.range(in: pages, &run)
          let pins = try race.space.pin(
            at: race.region.address(first), pages: count, run.random.oneIn(2) ? .write : [.get, .write],
            orGiveUpOn: [.badAddress, .outOfMemory])
          guard let pins else { continue }
          // No other word of the file looks so, and no other page's.
          let word = 0xdef0 << 48 | UInt64(run.index) << 32 | UInt64(run.turn)
          for index in pins.indices { pins.deviceBytes(at: index).store(word, toByteOffset: place) }
          for _ in 0..<2 {
            run.pauseRandomly()
            for index in pins.indices {
              let seen = pins.deviceBytes(at: index).load(fromByteOffset: place, as: UInt64.self)
              torture.expect(
                seen == word || Self.isFill(seen), "page \(first + index) shows \(seen) to its holder, not \(word)")
            }
          }
          pinned.count(pins.count)
          pins.release(dirty: true)
        }
      }
    }
  }
}
