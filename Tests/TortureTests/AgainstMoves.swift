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
