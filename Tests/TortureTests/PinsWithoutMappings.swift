import Foundation
import TestSupport
import Testing
import UserPages

extension TortureTests {
  /// Pins straight from a page cache, in slots and by reference, against all that takes a page out of it or writes it.
  @Suite struct PinsWithoutMappings {
    /// More pages in RAM than the pins hold: the programs beside them need some.
    private static let (pages, limit) = (12, 10)

    /// Holder and program see one page, whichever of them came first, and what the program stored is in the file.
    @Test(arguments: Engines.all, [PageCache.Stability.none, .adapts])
    func writeBackAndEviction(engine: PinEngine, stability: PageCache.Stability) throws {
      try race("pins without a mapping against write-back, \(stability)", engine: engine) { torture, machine in
        let race = try CacheRace(machine, engine: engine, pages: Self.pages, limit: Self.limit, stability: stability)
        let published = Board(2 * race.region.pages)
        torture.run([
          race.counting(published, threads: 2, torture), race.evicting(torture, goal: 4),
          race.syncing(published, threads: 2, torture), holding(race, torture),
        ])
        machine.memory.flushDeferredFrees()
        try race.compare(torture)
        race.space.exit()
      }
    }

    /// A thread stores by the mapping, by `write`, and holds the page between or before.
    private func holding(_ race: CacheRace, _ torture: Torture) -> Worker {
      let held = torture.tally("pins without a mapping", goal: 32)
      let stored = Board(2 * race.region.pages)
      return Worker("pin", threads: 2) { run in
        let place = Stamp.deviceOffset(run.index)
        while run.next() {
          let page = run.random.below(race.region.pages)
          let mine = run.index * race.region.pages + page
          let bySlot = run.random.oneIn(2)
          guard let pin = try race.cache.pin(page: page, bySlot: bySlot, orGiveUpOn: [.outOfMemory]) else { continue }
          let seen = pin.load(fromByteOffset: place, as: UInt64.self)
          torture.expect(seen == stored[mine], "the pin of page \(page) shows \(seen), and \(stored[mine]) was stored")
          let word = UInt64(run.turn)
          if run.random.oneIn(2) {
            try race.space.store(word, at: race.region.address(page) + place)
          } else {
            try race.cache.write(MemoryStore.bytes(of: word), at: page * Page.size + place)
          }
          stored[mine] = word
          run.pauseRandomly()
          let kept = pin.load(fromByteOffset: place, as: UInt64.self)
          torture.expect(kept == word, "the pin of page \(page) shows \(kept), and the program stored \(word)")
          pin.release()
          held.count()
        }
      }
    }

    /// What takes pages out of the cache while the file stays, or is as long again afterwards.
    enum Loss: CaseIterable { case cut, hole, invalidation }

    /// A pin keeps the frame that it found. Its words are of one page and never go back, although the cache has
    /// forgotten the frame, and another page may be where it was.
    @Test(arguments: Engines.all, Loss.allCases)
    func losses(engine: PinEngine, loss: Loss) throws {
      try race("pins without a mapping against \(loss)", engine: engine) { torture, machine in
        let race = try CacheRace(machine, engine: engine, pages: Self.pages, limit: Self.limit)
        let cache = race.cache
        let lost = torture.tally("losses", goal: 8)
        let held = torture.tally("pins", goal: 64)
        torture.run([
          Worker("lose") { run in
            let kept = Self.pages / 2
            while run.next() {
              for page in 0..<Self.pages { try cache.write(Self.fill(page, run.turn), at: page * Page.size) }
              run.pauseRandomly()
              switch loss {
              case .cut:
                try cache.setByteCount(kept * Page.size - run.random.below(2) * 100)
                try cache.setByteCount(Self.pages * Page.size)
              case .hole: try cache.punchHole(kept..<Self.pages)
              case .invalidation: try cache.invalidate()
              }
              lost.count()
              usleep(200)
            }
          },
          Worker("pin", threads: 2) { run in
            while run.next() {
              let page = run.random.below(Self.pages)
              let bySlot = run.random.oneIn(2)
              guard let pin = try cache.pin(page: page, bySlot: bySlot, orGiveUpOn: [.busError, .outOfMemory]) else {
                continue
              }
              var last: UInt64 = 0
              for _ in 0..<3 {
                let word = pin.load(as: UInt64.self)
                let isOfPage = word == 0 || word >> 48 == UInt64(page + 1)
                torture.expect(isOfPage, "the pin of page \(page) shows \(String(word, radix: 16))")
                torture.expect(word >= last, "the pin of page \(page) shows \(word), and showed \(last)")
                last = word
                run.pauseRandomly()
              }
              pin.release()
              held.count()
            }
          },
          Worker("load") { run in
            while run.next() {
              let page = run.random.below(Self.pages)
              guard let word = try race.space.loadUnlessCut(at: race.region.address(page)) else { continue }
              torture.expect(word == 0 || word >> 48 == UInt64(page + 1), "page \(page) shows another's word")
            }
          },
          race.evicting(torture, goal: 4), .syncing(cache),
        ])
        machine.memory.flushDeferredFrees()
        try race.compare(torture)
        race.space.exit()
      }
    }

    /// A page of words that name the page and the round.
    private static func fill(_ page: Int, _ round: Int) -> [UInt8] {
      let word = MemoryStore.bytes(of: UInt64(page + 1) << 48 | UInt64(round + 1))
      return (0..<Page.size / 8).flatMap { _ in word }
    }
  }
}
