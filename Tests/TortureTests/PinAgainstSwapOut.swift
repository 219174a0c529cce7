import Foundation
import TestSupport
import Testing
import UserPages

extension TortureTests {
  /// Pages go out and come back. The holder of one has the page that the program sees, for as long as it is held.
  @Suite struct PinAgainstSwapOut {
    @Test(arguments: Engines.all)
    func coherence(engine: PinEngine) throws {
      try race("pin against swap-out", engine: engine, swapPages: 64) { torture, machine in
        let space = AddressSpace(machine.memory, engine: engine)
        let region = Region(at: 0x7000_0000, pages: 4)
        try space.map(at: region.start, pages: region.pages, protection: .readWrite)
        for page in 0..<region.pages { try space.store(UInt64(1), at: region.address(page)) }
        let coherent = CoherentPins(space, region)
        torture.run([
          .pagingOut(space, region, torture),
          .neighbour(machine, engine: engine, torture),
          coherent.storing(),
          // Without a fork, even a get and the program see one page.
          coherent.pinning(
            [.write, [], .longTerm, .get, [.get, .write], [.write, .fastOnly], .fastOnly], orGiveUpOn: [.tryAgain],
            torture),
        ])
        space.exit()
      }
    }

    @Test(arguments: Engines.all)
    func ranges(engine: PinEngine) throws {
      try race("range pin against swap-out", engine: engine, swapPages: 64) { torture, machine in
        let space = AddressSpace(machine.memory, engine: engine)
        let region = Region(at: 0x701F_E000, pages: 6)
        try space.map(at: region.start, pages: region.pages, protection: .readWrite)
        let held = torture.tally("ranges pinned", goal: 8)
        torture.run([
          .pagingOut(space, region, torture),
          .neighbour(machine, engine: engine, torture),
          Worker("pin") { run in
            while run.next() {
              let pins = try space.pin(at: region.start, pages: region.pages, .write)
              torture.expect(pins.count == region.pages, "only \(pins.count) pages were pinned")
              let place = Stamp.deviceOffset(run.index)
              for page in 0..<pins.count { pins.deviceBytes(at: page).store(UInt64(run.turn), toByteOffset: place) }
              run.pauseRandomly()
              for page in 0..<pins.count {
                let seen = try space.load(at: region.address(page) + place, as: UInt64.self)
                torture.expect(seen == UInt64(run.turn), "the program sees \(seen), the device wrote \(run.turn)")
              }
              pins.release(dirty: true)
              held.count()
              usleep(50)
            }
          },
        ])
        space.exit()
      }
    }
  }
}

extension Worker {
  /// Pages out a page or the whole region, over and over.
  static func pagingOut(_ space: AddressSpace, _ region: Region, threads: Int = 1, _ torture: Torture) -> Worker {
    // No thread sees a page for long while it is out. But once everything is there, only pages that were out are
    // faulted in.
    let faults = torture.tally("pages brought back", goal: 64)
    return Worker("page out", threads: threads) { run in
      var before = space.counters.faults + region.pages
      while run.next() {
        if run.random.oneIn(2) {
          try space.advise(at: region.start, pages: region.pages, .pageOut)
        } else {
          try space.advise(at: region.address(run.random.below(region.pages)), pages: 1, .pageOut)
        }
        let now = space.counters.faults
        if now > before { faults.count(now - before) }
        before = max(before, now)
        run.pauseRandomly()
      }
    }
  }
}
