import Foundation
import TestSupport
import Testing
import UserPages

extension TortureTests {
  /// Pages of a memory file that go to the swap file all the time, against everything that can meet them.
  @Suite struct FileSwapRaces {
    /// Takes pages out, by advice and by reclaim.
    private func pagingOut(_ cut: CutFile, _ machine: Machine, _ torture: Torture) -> Worker {
      let out = torture.tally("pages out", goal: 8)
      return Worker("page out") { run in
        while run.next() {
          let before = machine.memory.pagesLeftToSwap
          if run.random.oneIn(2) {
            try cut.space.advise(at: CutFile.start, pages: cut.filePages, .pageOut)
          } else {
            _ = machine.memory.reclaim(pages: 1 + run.random.below(4))
          }
          // Not what is in the cache: the other threads bring pages back at once.
          if machine.memory.pagesLeftToSwap > before { out.count() }
          usleep(200)
          run.pauseRandomly()
        }
      }
    }

    private func swapping(
      _ name: String, engine: PinEngine, _ others: (CutFile, Machine, Torture) throws -> [Worker]
    ) throws {
      try race("\(name) against page-out of a memory file", engine: engine, swapPages: 128) { torture, machine in
        // So many pages that some are left alone while a page-out waits, under ThreadSanitizer too.
        let cut = try CutFile(machine, engine: engine, pages: 32)
        torture.run([pagingOut(cut, machine, torture)] + (try others(cut, machine, torture)))
        cut.end()
      }
    }

    /// Nothing is lost: loads, stores, pins, mirrors, `read` and `write` find what was stored last.
    @Test(arguments: Engines.all)
    func accesses(engine: PinEngine) throws {
      try swapping("load, store, pin, read, write", engine: engine) { cut, machine, torture in
        [
          cut.counting(by: CutFile.Way.allCases, threads: 3, torture),
          .neighbour(machine, engine: engine, torture),
        ]
      }
    }

    /// Cuts and holes beside it. A `write` would make the file longer.
    @Test(arguments: Engines.all)
    func cuts(engine: PinEngine) throws {
      try swapping("cut", engine: engine) { cut, machine, torture in
        [cut.cutting(.either, torture), cut.counting(by: [.table, .alias, .mirror, .pin], torture)]
      }
    }

    /// 2 MiB in one frame, which a page-out breaks up. A cut lets them come whole again.
    @Test(arguments: Engines.all)
    func hugePages(engine: PinEngine) throws {
      try race(
        "2 MiB against page-out of a memory file", engine: engine, frames: HugeRegion.frames,
        swapPages: 2 * Page.pagesPerHuge
      ) { torture, machine in
        let cut = try CutFile(machine, engine: engine, pages: Page.pagesPerHuge, firstCut: 300, every: 53)
        torture.run([
          cut.cutting(.either, also: [0], torture), pagingOut(cut, machine, torture),
          cut.livingInHugePages(machine, engine: engine, threads: 2, pagesOut: true, torture),
        ])
        cut.end()
      }
    }

    /// Children, which map the pages as well and end.
    @Test(arguments: Engines.all)
    func forks(engine: PinEngine) throws {
      try swapping("fork", engine: engine) { cut, _, torture in
        [
          cut.counting(by: [.table, .pin, .file], torture),
          Worker("fork") { run in
            var lane = cut.lane(2)
            let made = torture.tally("children", goal: 8)
            while run.next() {
              let child = try cut.space.fork()
              for _ in 0..<4 {
                try cut.countUp(&lane, in: child, cut.region, &run)
                run.pauseRandomly()
              }
              child.exit()
              made.count()
              // Most pages are to have one entry, or none.
              usleep(1000)
            }
          },
        ]
      }
    }

    /// What a device stores to a page that it holds is what the program finds.
    @Test(arguments: Engines.all)
    func pins(engine: PinEngine) throws {
      try swapping("pin", engine: engine) { cut, _, torture in
        let held = torture.tally("pages held", goal: 16)
        let ranges = torture.tally("ranges held", goal: 16)
        let options: [PinOptions] = [.write, [.write, .longTerm], [.get, .write], [.write, .fastOnly]]
        return [
          cut.counting(by: [.table, .alias], torture),
          Worker("pin", threads: 2) { run in
            let offset = Stamp.deviceOffset(2 + run.index)
            while run.next() {
              let address = cut.region.address(run.random.below(cut.region.pages))
              let options = options[run.random.below(options.count)]
              guard let pin = try cut.space.pin(at: address, options, orGiveUpOn: [.tryAgain]) else { continue }
              let word = UInt64(run.turn)
              pin.deviceBytes.store(word, toByteOffset: offset)
              for _ in 0..<4 { run.pauseRandomly() }
              let seen = try cut.space.load(at: address + offset, as: UInt64.self)
              torture.expect(seen == word, "the device stored \(word), the program sees \(seen)")
              pin.release(dirty: true)
              held.count()
            }
          },
          // Ranges, which a slot holds by a list.
          Worker("range pin") { run in
            let offset = Stamp.deviceOffset(4)
            while run.next() {
              let first = run.random.below(cut.region.pages - 1)
              let pins = try cut.space.pin(at: cut.region.address(first), pages: 2, .write)
              let word = UInt64(run.turn)
              for index in pins.indices { pins.deviceBytes(at: index).store(word, toByteOffset: offset) }
              for _ in 0..<4 { run.pauseRandomly() }
              for index in pins.indices {
                let seen = try cut.space.load(at: cut.region.address(first + index) + offset, as: UInt64.self)
                torture.expect(seen == word, "the device stored \(word), the program sees \(seen)")
              }
              pins.release(dirty: true)
              ranges.count()
            }
          },
        ]
      }
    }
  }
}
