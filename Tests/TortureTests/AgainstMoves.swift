import Foundation
import TestSupport
import Testing
import UserPages

extension TortureTests {
  /// Pages that leave movable frames for long-term pins, under stores, pins, forks, write-back, eviction and reclaim.
  @Suite struct AgainstMoves {
    @Test(arguments: Engines.all)
    func privateMemory(engine: PinEngine) throws {
      try race("moves of private memory", engine: engine, frames: 256, movable: 200, swapPages: 64) {
        torture, machine in
        let space = AddressSpace(machine.memory, engine: engine)
        let region = Region(at: 0x1000_0000, pages: 6)
        try space.map(at: region.start, pages: region.pages, protection: .readWrite)
        torture.run([
          .reclaiming(machine, torture), .countingAnonymous(space, region, torture),
          holding(
            space, region, [[.write, .longTerm], .write, .longTerm, [.get, .write], [.fastOnly, .write, .longTerm]],
            torture),
          Worker("fork") { run in
            while run.next() {
              let child = try space.fork()
              let page = region.address(run.random.below(region.pages))
              let before = try child.load(at: page, as: UInt64.self)
              if let pin = try child.pin(at: page, [.write, .longTerm], orGiveUpOn: [.outOfMemory]) {
                torture.expect(pin.deviceBytes.load(as: UInt64.self) == before, "a child's page changed as it moved")
                pin.release()
              }
              child.exit()
            }
          },
        ])
        space.exit()
      }
    }

    /// Pages that are protected, paged out, unmapped and mapped while they move. The thread that does this knows what
    /// each page has.
    @Test(arguments: Engines.all)
    func changes(engine: PinEngine) throws {
      try race("moves against changes", engine: engine, frames: 256, movable: 200, swapPages: 64) { torture, machine in
        let space = AddressSpace(machine.memory, engine: engine)
        let region = Region(at: 0x1000_0000, pages: 6)
        try space.map(at: region.start, pages: region.pages, protection: .readWrite)
        let changed = torture.tally("changes", goal: 16)
        torture.run([
          Worker("change", threads: 2) { run in
            while run.next() {
              // Each thread has three pages of its own.
              let address = region.address(3 * run.index + run.random.below(3))
              try space.store(UInt64(run.turn + 1), at: address)
              switch run.random.below(3) {
              case 0:
                try space.protect(at: address, pages: 1, .read)
                torture.expect(try !space.attemptStore(UInt64.max, at: address), "a store to a read-only page")
                try space.protect(at: address, pages: 1, .readWrite)
              case 1:
                _ = try tolerating(.outOfMemory) { () throws(PageError) in
                  try space.advise(at: address, pages: 1, .pageOut)
                }
              default:
                try space.unmap(at: address, pages: 1)
                try space.map(at: address, pages: 1, protection: .readWrite)
                let fresh = try space.load(at: address, as: UInt64.self)
                torture.expect(fresh == 0, "a page that was mapped anew shows \(fresh)")
                try space.store(UInt64(run.turn + 1), at: address)
              }
              let seen = try space.load(at: address, as: UInt64.self)
              torture.expect(seen == UInt64(run.turn + 1), "the page shows \(seen), not \(run.turn + 1)")
              changed.count()
            }
          },
          Worker("pin for long", threads: 2) { run in
            while run.next() {
              let allowed: [PageError] = [.badAddress, .tryAgain, .outOfMemory]
              let address = region.address(run.random.below(region.pages))
              guard let pin = try space.pin(at: address, .longTerm, orGiveUpOn: allowed) else { continue }
              run.pauseRandomly()
              pin.release()
            }
          },
          .neighbour(machine, engine: engine, torture),
        ])
        space.exit()
      }
    }

    /// A cache's pages that are cut off, punched out or forgotten while they move. No program stores to those pages: a
    /// pin shows the file's word, or the zeroes of a hole.
    @Test(arguments: Engines.all)
    func lostPagesOfACache(engine: PinEngine) throws {
      try race("moves of a cache's pages against cuts", engine: engine, frames: 64, movable: 40) { torture, machine in
        let race = try CacheRace(machine, engine: engine, pages: 8, limit: 6)
        @Sendable func word(_ page: Int) -> UInt64 { UInt64(page + 1) << 32 }
        for page in 0..<race.region.pages { try race.space.store(word(page), at: race.region.address(page)) }
        try race.cache.sync()
        let lost = torture.tally("pages lost", goal: 8)
        let pinned = torture.tally("long-term pins", goal: 8)
        torture.run([
          Worker("lose") { run in
            while run.next() {
              switch run.random.below(3) {
              case 0: try race.cache.punchHole(6..<8)
              case 1:
                try race.cache.setByteCount(6 * Page.size)
                try race.cache.setByteCount(8 * Page.size)
              default: try race.cache.invalidate()
              }
              lost.count()
              run.pauseRandomly()
            }
          },
          Worker("pin for long", threads: 2) { run in
            while run.next() {
              let page = run.random.below(race.region.pages)
              let pin = try race.space.pin(
                at: race.region.address(page), .longTerm, orGiveUpOn: [.badAddress, .tryAgain, .outOfMemory])
              guard let pin else { continue }
              for _ in 0..<2 {
                let seen = pin.deviceBytes.load(as: UInt64.self)
                torture.expect(
                  seen == word(page) || (seen == 0 && page >= 6), "page \(page) shows \(seen) to its holder")
                run.pauseRandomly()
              }
              pin.release()
              pinned.count()
            }
          },
          race.evicting(torture, goal: 4), .syncing(race.cache),
        ])
        race.space.exit()
      }
    }

    /// Shared pages of a file: what is stored is seen by the pin, and is in the file in the end.
    @Test(arguments: Engines.all)
    func pagesOfACache(engine: PinEngine) throws {
      try race("moves of a cache's pages", engine: engine, frames: 64, movable: 40) { torture, machine in
        let race = try CacheRace(machine, engine: engine, pages: 8, limit: 6)
        let published = Board(2 * race.region.pages)
        let moved = torture.tally("long-term pins", goal: 16)
        torture.run([
          race.counting(published, threads: 2, torture), race.evicting(torture, goal: 4),
          race.syncing(published, threads: 2, torture),
          Worker("pin", threads: 2) { run in
            while run.next() {
              let page = run.random.below(race.region.pages)
              let before = (0..<2).map { published[$0 * race.region.pages + page] }
              let options: PinOptions = run.random.oneIn(3) ? .get : .longTerm
              guard
                let pin = try race.space.pin(at: race.region.address(page), options, orGiveUpOn: [.outOfMemory])
              else { continue }
              for thread in 0..<2 {
                let seen = pin.deviceBytes.load(fromByteOffset: 8 * thread, as: UInt64.self)
                torture.expect(seen >= before[thread], "page \(page) shows \(seen) after \(before[thread])")
              }
              run.pauseRandomly()
              pin.release()
              if options == .longTerm { moved.count() }
            }
          },
        ])
        machine.memory.flushDeferredFrees()
        try race.compare(torture)
        race.space.exit()
      }
    }

    private func holding(
      _ space: AddressSpace, _ region: Region, _ options: [PinOptions], _ torture: Torture
    ) -> Worker {
      let held = torture.tally("coherent pins", goal: 16)
      return Worker("pin", threads: 2) { run in
        while run.next() {
          let page = run.random.below(region.pages)
          let options = options[run.random.below(options.count)]
          let allowed: [PageError] = [.tryAgain, .outOfMemory]
          guard let pin = try space.pin(at: region.address(page), options, orGiveUpOn: allowed) else { continue }
          // A fork may part program and holder of a get.
          if options.contains(.write), !options.contains(.get) {
            let place = Stamp.deviceOffset(run.index)
            pin.deviceBytes.store(UInt64(run.turn), toByteOffset: place)
            run.pauseRandomly()
            let seen = try space.load(at: region.address(page) + place, as: UInt64.self)
            torture.expect(seen == UInt64(run.turn), "the program sees \(seen), the device stored \(run.turn)")
          }
          pin.release(dirty: options.contains(.write))
          held.count()
        }
      }
    }
  }
}
