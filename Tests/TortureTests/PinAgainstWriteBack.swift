import Foundation
import TestSupport
import Testing
import UserPages

extension TortureTests {
  /// Pins against write-back and eviction. Holder and program see one page as long as it is held. What a device stored
  /// is in the file when all is over.
  @Suite struct PinAgainstWriteBack {
    @Test(arguments: Engines.all)
    func coherence(engine: PinEngine) throws {
      try race("pin against write-back", engine: engine) { torture, machine in
        let race = try CacheRace(machine, engine: engine, pages: 10, limit: 6)
        let published = Board(2 * race.region.pages)
        torture.run([
          race.counting(published, threads: 2, torture), race.evicting(torture),
          race.syncing(published, threads: 2, torture), holding(race, torture),
        ])
        machine.memory.flushDeferredFrees()
        try race.compare(torture)
        race.space.exit()
      }
    }

    private func holding(_ race: CacheRace, _ torture: Torture) -> Worker {
      let held = torture.tally("coherent pins", goal: 16)
      let options: [PinOptions] = [.write, .get, [.get, .write], [], [.write, .fastOnly]]
      let stored = Board(2 * race.region.pages)
      return Worker("pin", threads: 2) { run in
        while run.next() {
          let page = run.random.below(race.region.pages)
          let options = options[run.random.below(options.count)]
          let address = race.region.address(page)
          guard let pin = try race.space.pin(at: address, options, orGiveUpOn: [.tryAgain, .outOfMemory]) else {
            continue
          }
          let place = Stamp.deviceOffset(run.index)
          let mine = run.index * race.region.pages + page
          let seen = pin.deviceBytes.load(fromByteOffset: place, as: UInt64.self)
          torture.expect(seen == stored[mine], "the device stored \(stored[mine]) to page \(page), and finds \(seen)")
          if options.contains(.write) {
            pin.deviceBytes.store(UInt64(run.turn), toByteOffset: place)
            run.pauseRandomly()
            let loaded = try race.space.load(at: address + place, as: UInt64.self)
            torture.expect(loaded == UInt64(run.turn), "the program sees \(loaded), the device stored \(run.turn)")
            stored[mine] = UInt64(run.turn)
          }
          pin.release(dirty: options.contains(.write))
          held.count()
        }
      }
    }
  }

  /// A file that is cut and grows again under loads, stores, pins, write-back and eviction.
  @Suite struct AgainstTruncation {
    /// What is beyond the cut is gone, and never comes back.
    @Test(arguments: Engines.all)
    func cuts(engine: PinEngine) throws {
      try race("access against truncation", engine: engine) { torture, machine in
        let race = try CacheRace(machine, engine: engine, pages: 12, limit: 8)
        let (space, cache, region) = (race.space, race.cache, race.region)
        let kept = 6
        // Which round has begun to fill the tail, and which has cut it off.
        let rounds = Board(2)
        let cuts = torture.tally("cuts", goal: 8)
        let zeroes = torture.tally("pages found empty after a cut", goal: 1)
        torture.run([
          Worker("truncate") { run in
            while run.next() {
              let fill = [UInt8](repeating: UInt8(1 + run.turn % 250), count: Page.size)
              rounds.announce(0, UInt64(run.turn + 1))
              for page in kept..<region.pages { try cache.write(fill, at: page * Page.size) }
              run.pauseRandomly()
              if run.random.oneIn(3) {
                try cache.punchHole(kept..<region.pages)
              } else {
                try cache.setByteCount(kept * Page.size - run.random.below(2) * 100)
                for page in kept..<region.pages {
                  do throws(PageError) {
                    let seen = try space.load(at: region.address(page), as: UInt64.self)
                    torture.expect(false, "page \(page), beyond the end, shows \(seen)")
                  } catch {
                    torture.expect(error == .busError, "page \(page), beyond the end: \(error)")
                  }
                }
                try cache.setByteCount(region.pages * Page.size)
              }
              rounds.announce(1, UInt64(run.turn + 1))
              cuts.count()
              usleep(200)
              run.pauseRandomly()
            }
          },
          Worker("load", threads: 2) { run in
            while run.next() {
              let page = kept + run.random.below(region.pages - kept)
              let isCut = rounds[1]
              guard isCut > 0, rounds[0] == isCut else { continue }
              let seen: UInt64?
              if run.random.oneIn(4) {
                guard let pin = try space.pin(at: region.address(page), [], orGiveUpOn: [.badAddress]) else { continue }
                seen = pin.deviceBytes.load(as: UInt64.self)
                run.pauseRandomly()
                pin.release()
              } else {
                do throws(PageError) { seen = try space.load(at: region.address(page)) } catch {
                  torture.expect(error == .busError, "\(error)")
                  seen = nil
                }
              }
              // The next round had not begun to fill the tail when the word was read.
              guard let seen, rounds[0] == isCut else { continue }
              torture.expect(seen == 0, "page \(page) shows \(seen), which was cut off before")
              zeroes.count()
            }
          },
          Worker("store") { run in
            while run.next() {
              // The words that stay: below every cut.
              let page = run.random.below(kept - 1)
              try space.store(UInt64(run.turn), at: region.address(page))
              let seen = try space.load(at: region.address(page), as: UInt64.self)
              torture.expect(seen == UInt64(run.turn), "a store below the cut is lost")
            }
          },
          race.evicting(torture, goal: 4),
          .syncing(cache),
        ])
        try race.compare(torture)
        race.space.exit()
      }
    }
  }
}
